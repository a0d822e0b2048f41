"""`python -m ralph`; does nothing on import, because a fork server's children import it again."""

from __future__ import annotations

if __name__ == "__main__":
    from ralph.cli.entry import main

    main()
