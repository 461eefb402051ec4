"""`python -m minisparse` is `minisparse`."""

from .cli import main

if __name__ == "__main__":
    main()
