"""`python -m miniapm` is the command `miniapm`."""

from miniapm.cli import main

if __name__ == "__main__":
    main()
