"""The machinery around the lessons. It knows no lesson by name."""


class UserError(Exception):
    """Something the user can mend: one line that says what is wrong, what was expected and what to do."""
