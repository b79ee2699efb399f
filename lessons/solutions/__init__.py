"""The solutions of the exercises, with hints, what they are held against, and common mistakes."""
