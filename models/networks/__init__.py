"""The networks: by hand, with torch.nn, the learner's own; and how digits are distorted for them."""
