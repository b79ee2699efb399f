"""Networks, and the benchmark."""

from tests.torture.mutations.mutation import Mutation

MUTATIONS = (
    Mutation(
        name="scratch_averages_apart",
        breaks="By hand, batch norm's running averages are not those that are saved.",
        file="models/networks/scratch.py",
        find='layer.buffers = {name: params[f"{index}.{name}"] for name in layer.buffers}',
        put='layer.buffers = {name: params[f"{index}.{name}"].clone() for name in layer.buffers}',
        tests="tests/models/test_lit.py -k learn_the_same",
    ),
    Mutation(
        name="augment_leans_to_the_left",
        breaks="A positive shear moves the lower end to the left.",
        file="models/networks/augment.py",
        find="-(sin + tan * cos) / scale_x",
        put="-(sin - tan * cos) / scale_x",
        tests="tests/models/test_augment.py",
    ),
    Mutation(
        name="augment_one_field_for_all",
        breaks="All pictures of a batch are bent by the same field.",
        file="models/networks/augment.py",
        find="torch.randn((count, 2, rows), generator=generator",
        put="torch.ones(count, 1, 1) * torch.randn((1, 2, rows), generator=generator",
        tests="tests/models/test_augment.py",
    ),
    Mutation(
        name="mine_learns_nothing",
        breaks="The learner's optimiser is not told the learning rate of the step.",
        file="models/networks/mine.py",
        find="        self.optimizer.lr = lr\n",
        put="",
        tests="tests/models/test_mine.py",
    ),
    Mutation(
        name="graph_old_rate",
        breaks="A recorded step keeps the learning rate of the recording.",
        file="models/networks/cuda_graph.py",
        find="        self.lr.fill_(lr)\n",
        put="",
        tests="tests/models/test_bench.py -k recorded",
    ),
    Mutation(
        name="bench_ninth_product",
        breaks="The floor has a product too many: the gradient of the pixels.",
        file="models/jobs/bench.py",
        find="            if index:\n",
        put="            if index >= 0:\n",
        tests="tests/models/test_bench.py -k floor",
    ),
    Mutation(
        name="bench_target_missed",
        breaks="A run that ends exactly at its target counts as one that did not reach it.",
        file="models/jobs/bench_tables.py",
        find='value >= recipe["target"]',
        put='value > recipe["target"]',
        tests="tests/models/test_bench.py -k races",
    ),
    Mutation(
        name="bench_one_start_for_all_seeds",
        breaks="All seeds of a race begin with the same weights.",
        file="models/jobs/bench.py",
        find="model.load_state_dict(first_weights(SIZES, seed))",
        put="model.load_state_dict(first_weights(SIZES, 0))",
        tests="tests/models/test_bench.py -k own_start",
    ),
)
