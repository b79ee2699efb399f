"""Small mistakes, put into the machinery one at a time. Does a test catch each?

    python -m tests.torture.mutations --json found.jsonl
    python -m tests.torture.mutations --only log_is_late --tests tests/models

Every mutation is a mistake that somebody could make, and it breaks what somebody was promised. It is put into
a copy of the checkout, and pytest runs there the tests that should catch it. The checkout stays as it is.

caught       a test fails, and passes again once the mistake is taken out
survived     all tests pass
timed out    the tests did not end
red anyway   the test fails without the mistake, too
no tests     the tests that are named are not there any more
stale        the text to be found is not there any more, or more than once: adapt the mutation

Where PATH_DATASETS names no folder with MNIST, tests of the data are skipped and their mutations survive.
Mutations that change nothing that can be seen are left out; each area names some.
"""

from tests.torture.mutations import data, door, grader, harness, lasting, lessons, logs, networks

AREAS = {
    "harness": harness.MUTATIONS,
    "grader": grader.MUTATIONS,
    "data": data.MUTATIONS,
    "logs": logs.MUTATIONS,
    "lasting": lasting.MUTATIONS,
    "networks": networks.MUTATIONS,
    "lessons": lessons.MUTATIONS,
    "door": door.MUTATIONS,
}
