"""What the lessons' classes are given, and what else of PyTorch they compute."""

from tests.torture.mutations.mutation import Mutation

MUTATIONS = (
    Mutation(
        name="contract_of_sizes_unseen",
        breaks="A tensor of other sizes is taken where its dimensions are as many.",
        file="curriculum/contracts.py",
        find="if isinstance(wanted, int)\n",
        put="if isinstance(wanted, float)\n",
        tests="tests/kit/test_contracts.py",
    ),
    Mutation(
        name="contract_end_of_range",
        breaks="A decay rate of 1 is taken, with which Adam divides by zero.",
        file="curriculum/contracts.py",
        find="(below and value == high)",
        put="(below and value > high)",
        tests="tests/kit/test_contracts.py",
    ),
    Mutation(
        name="contract_layer_inside",
        breaks="One layer in two places is not seen where one of them is inside of another layer.",
        file="curriculum/contracts.py",
        find='for inner in (layer, *_with_inner(getattr(layer, "layers", ())))]',
        put="for inner in (layer,)]",
        tests="tests/kit/test_contracts.py",
    ),
    Mutation(
        name="contract_half_a_state",
        breaks="A state dict with one wrong shape changes the tensors before it.",
        file="curriculum/contracts.py",
        find='        same_shape(f"{name} of the state", state[name], "that of the model", tensor)\n'
        "    for name, tensor in own.items():\n",
        put='        same_shape(f"{name} of the state", state[name], "that of the model", tensor)\n',
        tests="tests/kit/test_contracts.py",
    ),
    Mutation(
        name="loss_stretches_targets",
        breaks="A prediction (N, 1) against a target (N,) is stretched to (N, N).",
        file="lessons/lesson05_losses.py",
        find='        same_shape("prediction", prediction, "target", target)\n        self.prediction',
        put="        self.prediction",
        tests="tests/kit/test_contracts.py",
    ),
    Mutation(
        name="loss_ignored_counts",
        breaks="Ignored examples are counted in the mean.",
        file="lessons/lesson06_cross_entropy.py",
        find="weight[right].masked_fill(ignored, 0).sum()",
        put="weight[right].sum()",
        tests="tests/lessons/test_lesson06.py tests/lessons/test_lessons.py -k lesson06",
    ),
    Mutation(
        name="loss_pos_weight_slope",
        breaks="The weight of a yes stands in the loss and not in its gradient.",
        file="lessons/lesson05_losses.py",
        find="            slope = slope + (self.pos_weight - 1) * self.target * (p - 1)\n",
        put="            pass\n",
        tests="tests/lessons/test_lesson05.py tests/lessons/test_lessons.py -k lesson05",
    ),
    Mutation(
        name="state_without_averages",
        breaks="A state dict leaves batch norm's running averages as they were.",
        file="models/networks/scratch.py",
        find="copy_into(self.params | self.buffers, state)",
        put="copy_into(self.params, {name: state[name] for name in self.params})",
        tests="tests/kit/test_contracts.py tests/models/test_lit.py",
    ),
)
