"""For a checkout in which the package is not installed: ``python -m lightgate_cli``."""

from lightgate_cli.entry import main

if __name__ == "__main__":
    main()
