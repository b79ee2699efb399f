"""Long campaigns against the proofs; `tests/kit/test_fuzz_pairs.py` runs a short one."""

import os


def end_without_fork() -> None:
    """End with a plain message where the system cannot copy a process, which most campaigns do.

    Raises:
        SystemExit: on Windows.
    """
    if not hasattr(os, "fork"):
        raise SystemExit("this campaign needs fork and Unix's signals: run it on Linux or macOS")
