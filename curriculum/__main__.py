"""`python -m curriculum` is the command `curriculum`."""

from curriculum.cli import main

main()
