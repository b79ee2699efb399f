"""Long campaigns against the proofs; `tests/kit/test_fuzz_pairs.py` runs a short one."""
