"""Authoring, and the command line."""

from tests.torture.mutations.mutation import Mutation

MUTATIONS = (
    Mutation(
        name="new_overwrites",
        breaks="`curriculum new` writes over a lesson that was begun.",
        file="curriculum/authoring/new.py",
        find="fresh = [path for path in files if not path.exists()]",
        put="fresh = [*files]",
        tests="tests/authoring/test_new.py",
    ),
    Mutation(
        name="new_forgets_a_table",
        breaks="`curriculum new` does not miss the row in the README's table.",
        file="curriculum/authoring/new.py",
        find='for page in ("README.md", "lessons/README.md"):',
        put='for page in ("lessons/README.md",):',
        tests="tests/authoring/test_new.py",
    ),
    Mutation(
        name="cli_mismatch_ends_well",
        breaks="`curriculum compare` ends with 0 where pairs differ.",
        file="curriculum/cli/lessons.py",
        find="if equal < len(rows):",
        put="if equal == 0:",
        tests="tests/cli/test_cli.py -k compare",
    ),
    Mutation(
        name="cli_check_ends_well",
        breaks="`curriculum check` ends with 0 although an exercise is not passed.",
        file="curriculum/cli/exercises.py",
        find="if not all(grade.verdict.passed for grade in grades):",
        put="if not grades:",
        tests="tests/grader/test_commands.py",
    ),
    Mutation(
        name="cli_resume_takes_options",
        breaks="`mnist --resume --lr 1` takes no notice of --lr instead of refusing it.",
        file="curriculum/cli/training.py",
        find='source.name == "COMMANDLINE"',
        put='source.name == "ENVIRONMENT"',
        tests="tests/cli/test_cli.py",
    ),
    Mutation(
        name="cli_stopped_is_an_error",
        breaks="A run that Ctrl-C has stopped ends with 2, as a wrong option does.",
        file="curriculum/cli/main.py",
        find="_fail(str(stopped), stopped.code)",
        put="_fail(str(stopped))",
        tests="tests/cli/test_cli.py -k ends_a_command",
    ),
    Mutation(
        name="cli_json_with_words",
        breaks="`mnist --json` prints other lines beside the JSON.",
        file="curriculum/cli/training.py",
        find="Console(stderr=as_json,",
        put="Console(stderr=False,",
        tests="tests/cli/test_cli.py -k json",
    ),
    Mutation(
        name="cli_rate_of_zero",
        breaks="A learning rate of 0 is taken, and nothing is learned.",
        file="curriculum/cli/training.py",
        find='if not 0 < lr < float("inf"):',
        put='if not 0 <= lr < float("inf"):',
        tests="tests/cli/test_cli.py -k bad_input",
    ),
    Mutation(
        name="cli_all_threads",
        breaks="The commands take all threads, which beside other programs can be 60 times slower.",
        file="curriculum/cli/main.py",
        find='os.environ.setdefault("OMP_NUM_THREADS", "1")',
        put='os.environ.get("OMP_NUM_THREADS", "1")',
        tests="tests/cli/test_cli.py -k one_thread",
    ),
)
