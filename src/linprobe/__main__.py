"""`python -m linprobe`."""

from linprobe.cli import main

main()
