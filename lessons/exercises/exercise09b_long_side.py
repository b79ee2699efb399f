"""Exercise 09b · The long side

Difficulty: 1 of 3 · Time: 10 minutes · After: lesson 09

Teach the engine a new operation: y = √(a² + b²), the long side of a right-angled triangle with the short
sides a and b. Make it one node, with its value and a road to each `Value` that it was made from. b may be a
plain number; `Value` leaves out a road to it by itself.

Predict first: a = 3 and b = 4 give y = 5. How fast does y grow with a, and how fast with b? Nudge them, then
write the slopes down. A blame of 10 for y becomes 6 for a and 8 for b.
"""

from lessons.lesson09_autograd import Value


def hypot(a: Value, b: Value | float) -> Value:
    """a: a node, b: a node or a plain number, not both 0 → a node."""
    raise NotImplementedError("write hypot")
