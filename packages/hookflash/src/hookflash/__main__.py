"""`python -m hookflash` is the command `hookflash`."""

from hookflash.cli import main

main()
