"""`python -m curriculum` is the command `curriculum`."""

from curriculum.cli.main import main

main()
