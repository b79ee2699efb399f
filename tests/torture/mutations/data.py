"""The data, and files.

Left out: the deviation over n − 1 pixels instead of n (n is 938,448); the parts not moved to the device (in
the tests it is the CPU); the size of a file not looked at (a test would fill the memory).
"""

from tests.torture.mutations.mutation import Mutation

MUTATIONS = (
    Mutation(
        name="data_unproven",
        breaks="Damaged files are read and trained on.",
        file="curriculum/mnist_files.py",
        find='if tensor is None or _sha256_of_tensor(tensor) != SHA256[path.name.removesuffix(".gz")]:',
        put="if tensor is None:",
        tests="tests/kit/test_data.py -k 'damaged or changed'",
    ),
    Mutation(
        name="data_download_unproven",
        breaks="A download is taken whose content is not MNIST's.",
        file="curriculum/mnist_files.py",
        find="if sha256 and _sha256_of_file(scratch / name) != sha256:",
        put="if sha256 and not (scratch / name).exists():",
        tests="tests/kit/test_data.py -k another_file",
    ),
    Mutation(
        name="data_standardised_with_all",
        breaks="Mean and deviation are those of all digits, the test digits among them.",
        file="curriculum/data.py",
        find="pixels = images[: sizes[0]].to(torch.float64) / 255",
        put="pixels = images.to(torch.float64) / 255",
        tests="tests/kit/test_data.py -k standardised",
    ),
    Mutation(
        name="data_validation_is_learned",
        breaks="With a val_count the digits for validation are among those to train.",
        file="curriculum/data.py",
        find="train = Split(x[:-val_count], target[:-val_count])",
        put="train = Split(x[val_count:], target[val_count:])",
        tests="tests/models/test_lit.py -k kept_back",
    ),
    Mutation(
        name="data_half_is_none",
        breaks=(
            "Where some of MNIST's files are missing and there is no network, other digits take their place."
        ),
        file="curriculum/data.py",
        find='if which == "mnist" or len(missing) < len(mnist_files.SHA256):',
        put='if which == "mnist":',
        tests="tests/kit/test_data.py -k 'missing or goes_on'",
    ),
    Mutation(
        name="data_cache_before_environment",
        breaks="The user's cache goes before PATH_DATASETS.",
        file="curriculum/mnist_files.py",
        find="[Path(environment), CACHE] if environment",
        put="[CACHE, Path(environment)] if environment",
        tests="tests/kit/test_data.py -k places",
    ),
    Mutation(
        name="data_broken_link_is_absence",
        breaks="A link to nothing counts as a missing file, and is written over by a download.",
        file="curriculum/mnist_files.py",
        find="path.lstat()",
        put="path.stat()",
        tests="tests/kit/test_data.py -k 'four_links or damaged'",
    ),
    Mutation(
        name="data_one_mirror",
        breaks="Where the first server fails, no other is asked.",
        file="curriculum/mnist_files.py",
        find="for mirror in known.mirrors]",
        put="for mirror in known.mirrors[:1]]",
        tests="tests/kit/test_data.py -k next_is_asked",
    ),
    Mutation(
        name="data_timeout_stays",
        breaks="After a download every connection of the process has its timeout.",
        file="curriculum/mnist_files.py",
        find="socket.setdefaulttimeout(before)",
        put="socket.setdefaulttimeout(before or TIMEOUT)",
        tests="tests/kit/test_data.py -k their_timeout",
    ),
    Mutation(
        name="data_labels_in_old_order",
        breaks="The offline digits are shuffled, and what they are is not.",
        file="curriculum/data.py",
        find="target=target[order],\n        sizes=(1_197",
        put="target=target,\n        sizes=(1_197",
        tests="tests/kit/test_data.py -k belong_together",
    ),
    Mutation(
        name="data_centred_sideways",
        breaks="The offline digits are shifted down by what they should be shifted to the right.",
        file="curriculum/data.py",
        find="zip(pictures, boxes, tops, lefts, strict=True)",
        put="zip(pictures, boxes, lefts, tops, strict=True)",
        tests="tests/kit/test_data.py -k look_like",
    ),
    Mutation(
        name="data_unscaled_remembers",
        breaks="Pixels from 0 to 1 are said to be standardised still.",
        file="curriculum/data.py",
        find="test=plain(self.test), mean=0.0, std=1.0",
        put="test=plain(self.test)",
        tests="tests/kit/test_data.py -k unscaled",
    ),
    Mutation(
        name="data_home_not_expanded",
        breaks="PATH_DATASETS=~/data means a folder that is called ~.",
        file="curriculum/mnist_files.py",
        find="Path(os.path.expanduser(place))",
        put="Path(place)",
        tests="tests/kit/test_data.py -k at_home",
    ),
    Mutation(
        name="files_without_fsync",
        breaks="A power cut can leave a new file's name on no content.",
        file="curriculum/files.py",
        find=(
            "            os.fsync(file.fileno())  # else a power cut could leave the new name on no content\n"
        ),
        put="",
        tests="tests/models/test_resume.py -k full_disk",
    ),
    Mutation(
        name="files_leftovers",
        breaks="A file that could not be written leaves half of itself behind.",
        file="curriculum/files.py",
        find="fresh.unlink(missing_ok=True)",
        put="pass",
        tests="tests/models/test_resume.py -k full_disk",
    ),
    Mutation(
        name="files_swept_too_much",
        breaks="A run that goes on loses its event files.",
        file="curriculum/files.py",
        find='".*.[0-9]*"',
        put='"*.[0-9]*"',
        tests="tests/models/test_resume.py -k 'killed and scratch'",
    ),
    Mutation(
        name="data_archive_fetched_again",
        breaks="Each part of EMNIST downloads all of it.",
        file="curriculum/named_data.py",
        find="archive = _archive_at_hand(folders, known.md5)",
        put="archive = None",
        tests="tests/kit/test_named_data.py -k 'next_part or lies_there'",
    ),
    Mutation(
        name="data_counts_what_was_left_out",
        breaks="A result of a few batches is told as one of all.",
        file="models/lightning/data.py",
        find="return min(batches * self.batch_size, len(self.split.x))",
        put="return len(self.split.x)",
        tests="tests/models/test_fit.py -k looked_at",
    ),
    Mutation(
        name="data_sets_of_one_name_are_one",
        breaks="The list of runs puts two data sets of one name together.",
        file="curriculum/runs/terminal.py",
        find="if same_words[data] > 1 and sha256:",
        put="if False:",
        tests="tests/runs/test_terminal.py -k which_of_one_name",
    ),
)
