"""What the fork server imports before it forks, so that a worker starts in milliseconds."""
