"""`python -m tests.torture.mutations`: see the package's docstring, or --help."""

import sys

# The runner is a module of its own: the processes that run pytest find it by its name.
from tests.torture.mutations.runner import main

if __name__ == "__main__":
    sys.exit(main())
