"""Grades exercises with PyTorch, and names the mistake."""
