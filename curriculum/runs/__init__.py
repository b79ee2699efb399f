"""Runs as their files tell them: a list, curves in the terminal, one page, TensorBoard."""
