"""Answers to the exercises as learners write them, right and wrong: the grader has to tell which."""
