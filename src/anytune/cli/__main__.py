"""`python -m anytune.cli` is the `anytune` command."""

from anytune.cli import main

if __name__ == "__main__":
    main()
