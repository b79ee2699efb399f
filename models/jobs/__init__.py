"""What the command line does: train, compare step by step, do again, measure."""
