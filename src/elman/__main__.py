"""`python -m elman` is the command `elman`."""

from elman.apps.cli import main

main()
