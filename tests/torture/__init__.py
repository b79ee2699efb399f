"""Long campaigns against the proofs; `tests/test_fuzz_pairs.py` runs a short one."""
