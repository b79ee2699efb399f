"""Grades exercises with PyTorch, and names the mistake.

`session` (a learner at work) and `classroom` (a whole class) hand each answer to a `process` of its own.
There `child` loads it and `judge` holds it against torch. From the ground up:

- `exercise`, `progress`, `solution`, `learner`: what there is to do, and the learner's own folder
- `verdict`, `limits`, `explain`, `process`: how an answer fared, what it may take, what it raised
- `trials`, `relations`, `shrink`, `finite_differences`, `example`: what its numbers say
- `places`, `watch`, `facts`: what it does while it runs; `terms`, `factors`, `laws`: which update it makes
- `diagnosis`: both; `repair`: which change of its source would make it right; `judge`: all of it
- `warm`, `warm_client`: a process that is ready; it forks one for each answer
- `child`, `session`, `classroom`, `junit`: who asks, and who is told

Of these only what its numbers and its doings say, `child` and `warm` import torch.
"""
