"""Where the daemon process starts: a module that does nothing on import, because forked children import it again."""

if __name__ == "__main__":
    import sys

    from ralph.engine.launch import main

    sys.exit(main(sys.argv[1:]))
