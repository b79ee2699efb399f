"""A network that learns in the browser: the lessons once more in JavaScript, equal to PyTorch's numbers."""
