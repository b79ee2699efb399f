"""Answers to exercise 02a as learners write them."""


def doubled():
    """Right: all numbers twice as large, and as integers."""
    return {"carry": ({"a": 2, "b": 2, "c": 2}, 3), "sum": ({"a": 2, "b": 2, "c": 2, "carry": -4}, 1)}


def gates():
    """Right: a carry from the three pairs, a sum from one, two and three."""
    pairs = {pair: (dict.fromkeys(pair, 1.0), 1.5) for pair in ("ab", "ac", "bc")}
    three = {"all": ({"a": 1.0, "b": 1.0, "c": 1.0}, 2.5), "any": ({"a": 1.0, "b": 1.0, "c": 1.0}, 0.5)}
    carry = {"carry": (dict.fromkeys(pairs, 1.0), 0.5)}
    return pairs | three | carry | {"sum": ({"any": 1.0, "carry": -1.0, "all": 1.0}, 0.5)}


def carry_with_plus():
    wiring = doubled()
    wiring["sum"][0]["carry"] = 4
    return wiring


def deaf_sum():
    wiring = doubled()
    del wiring["sum"][0]["carry"]
    return wiring


def exactly_one():
    return {"carry": ({"a": 1, "b": 1, "c": 1}, 1.6), "sum": ({"a": 1, "b": 1, "c": 1, "carry": -5}, 0.5)}


def biases():
    return {"carry": ({"a": 2, "b": 2, "c": 2}, -3), "sum": ({"a": 2, "b": 2, "c": 2, "carry": -4}, -1)}


def exchanged():
    wiring = doubled()
    return {"carry": (wiring["carry"][0], 1), "sum": (wiring["sum"][0], 3)}


def carry_as_and():
    wiring = doubled()
    return wiring | {"carry": (wiring["carry"][0], 5)}


def carry_as_or():
    wiring = doubled()
    return wiring | {"carry": (wiring["carry"][0], 1)}


def fires_from_two_on():
    wiring = doubled()
    return {"carry": (wiring["carry"][0], 4), "sum": (wiring["sum"][0], 2)}


def above_the_last_silent_count():
    wiring = doubled()
    return {"carry": (wiring["carry"][0], 2), "sum": (wiring["sum"][0], 0)}


def names_exchanged():
    return {"sum": ({"a": 1, "b": 1, "c": 1}, 1.5), "carry": ({"a": 1, "b": 1, "c": 1, "sum": -2}, 0.5)}


def c_forgotten():
    return {"carry": ({"a": 1, "b": 1}, 1.5), "sum": ({"a": 1, "b": 1, "carry": -2}, 0.5)}


def sum_only_for_three():
    return doubled() | {"sum": ({"a": 1, "b": 1, "c": 1}, 2.5)}


RIGHT = [doubled, gates]
WRONG = [
    ("sum not held down by the carry", carry_with_plus),
    ("sum not held down by the carry", deaf_sum),
    ("sum held down too strongly", exactly_one),
    ("threshold and bias mixed up", biases),
    ("thresholds exchanged", exchanged),
    ("carry only for three", carry_as_and),
    ("carry already for one", carry_as_or),
    ("silent at exactly the threshold", fires_from_two_on),
    ("threshold too close to a sum", above_the_last_silent_count),
    ("", names_exchanged),
    ("", c_forgotten),
    ("", sum_only_for_three),
]
