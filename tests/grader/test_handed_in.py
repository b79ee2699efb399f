"""What a class has handed in: every learner is told, whatever platforms and copies made of the names."""

import zipfile
from pathlib import Path

import pytest

from curriculum import UserError
from curriculum.grader.handed_in import handed_in

A, B = "exercise01a_double.py", "exercise01b_double.py"
NOTHING = "no .py file and no notebook"
Told = list[tuple[str, str, str, str]]


def told(house: Path, *files: str) -> Told:
    """Learner, exercise, file and note of each entry, where these files were handed in."""
    folder = house / "class"
    for name in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}")
    return [
        (
            entry.learner,
            entry.exercise.id if entry.exercise else "",
            entry.file.relative_to(folder).as_posix() if entry.file else "",
            entry.note,
        )
        for entry in handed_in(folder, house / "unpacked")
    ]


@pytest.mark.parametrize(
    "name",
    [
        "exercise01a_double (1).py",
        "exercise01a_double - Copy.py",
        "Kopie von exercise01a_double.py",
        "exercise01a_double-1.py",
        "Exercise01A_Double.PY",
        "EXERCISE01A.Py",
        "exercise 1a.py",
        "exercise_01a_my_try.py",
        "lovelaceada_123_456_exercise01a_double-2.py",
    ],
)
def test_a_name_that_was_changed_is_understood_and_told(house: Path, name: str) -> None:
    assert told(house, f"ada/{name}") == [("ada", "01a", f"ada/{name}", f"graded {name}")]


@pytest.mark.parametrize(
    ("name", "exercise", "note"),
    [
        (f"{A}.txt", "01a", f"{NOTHING}: {A}.txt"),
        ("exercise01a_double", "01a", f"{NOTHING}: exercise01a_double"),
        ("exercise01a.zip", "01a", f"{NOTHING}: exercise01a.zip (packed: unpack it)"),
        ("homework.zip", "", "no exercise's name: homework.zip (packed: unpack it)"),
        ("double.py", "", "no exercise's name: double.py"),
        ("exercise99z_double.py", "", "no exercise's name: exercise99z_double.py"),
        ("exercise01ab.py", "", "no exercise's name: exercise01ab.py"),
        ("final_project.py", "", "no exercise is among final_project.py"),
    ],
)  # fmt: skip
def test_what_is_not_graded_is_told(house: Path, name: str, exercise: str, note: str) -> None:
    assert told(house, f"ada/{name}") == [("ada", exercise, "", note)]


def test_every_learner_is_told(house: Path) -> None:
    (house / "class" / "bob").mkdir(parents=True)
    (house / "class" / ".hidden").mkdir()
    assert told(house, f"ada/{A}", f"eve/deep/er/{B}", f"__MACOSX/ada/._{A}", f"dan/__pycache__/{A}c") == [
        ("ada", "01a", f"ada/{A}", ""),
        ("bob", "", "", "nothing was handed in, the folder is empty"),
        ("dan", "", "", "nothing was handed in, the folder is empty"),
        ("eve", "01b", f"eve/deep/er/{B}", ""),
    ]


def test_what_lies_beside_an_exercise_is_told(house: Path) -> None:
    """A helper may be one, or an exercise under a name of its own. What was handed out is neither."""
    assert told(
        house, f"ada/{A}", "ada/helper.py", "ada/01b.py", "ada/final_project.py", "ada/.progress"
    ) == [
        ("ada", "01a", f"ada/{A}", ""),
        ("ada", "", "", "no exercise's name: 01b.py, helper.py"),
    ]
    many = [f"ada/{n}.txt" for n in range(9)]
    assert told(house, *many)[-1][-1].endswith("0.txt, 01b.py, 1.txt, 2.txt, 3.txt, 4.txt and 5 more")


def test_of_several_files_the_one_that_was_meant(house: Path) -> None:
    """The name as it was handed out, then the least deep. Two equals are graded only if they are the same."""
    assert told(house, "ada/exercise01a (1).py", f"ada/deep/{A}", f"ada/deep/er/{A}", f"ada/{A}.bak-1") == [
        ("ada", "01a", f"ada/deep/{A}", "")
    ]
    both = ("bob/exercise01a (1).py", "bob/exercise01a (2).py", "bob/older/exercise01a.py")
    assert told(house, *both)[1:] == [
        ("bob", "01a", "", "several files, keep one: exercise01a (1).py, exercise01a (2).py")
    ]
    for name in both[:2]:
        (house / "class" / name).write_text("the same")
    assert told(house)[1:] == [("bob", "01a", both[0], "graded exercise01a (1).py")]


def test_learners_as_platforms_name_them(house: Path) -> None:
    moodle = f"Ada Lovelace_12345_assignsubmission_file_/{A}"
    canvas = ["bob_12_345_exercise01a-1.py", "bob_LATE_12_346_exercise01b.py", "eve_13_347_exercise01a.py"]
    assert [(learner, exercise, file) for learner, exercise, file, _ in told(house, moodle, *canvas)] == [
        ("Ada Lovelace_12345", "01a", moodle),
        ("bob_12", "01a", canvas[0]),
        ("bob_12", "01b", canvas[1]),
        ("eve_13", "01a", canvas[2]),
    ]


def test_files_that_lie_in_no_folder(house: Path) -> None:
    """One learner's own folder may be graded, too."""
    assert told(house, A, B, "notes.txt") == [
        ("class", "01a", A, ""),
        ("class", "01b", B, ""),
        ("notes.txt", "", "", "no exercise's name: notes.txt"),
    ]


def test_what_cannot_be_read_hides_no_other(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told(house, f"ada/{A}", f"bob/{A}")
    (house / "class" / "eve").mkdir()
    (house / "class" / "eve" / A).symlink_to("nowhere")
    scandir = __import__("os").scandir

    def closed(folder: Path) -> object:  # the superuser may look into every folder
        if Path(folder).name == "bob":
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr("os.scandir", closed)
    assert [(learner, note) for learner, _, _, note in told(house)] == [
        ("ada", ""),
        ("bob", f"{house / 'class' / 'bob'} cannot be read (Permission denied)"),
        ("eve", f"{NOTHING}: {A}"),
    ]


def test_nothing_at_all_is_one_clear_line(house: Path) -> None:
    (house / "class").mkdir()
    for folder in (house / "class", house / "nowhere"):
        with pytest.raises(UserError, match="holds no folders and no files; expected one folder per learner"):
            handed_in(folder, house / "unpacked")


# ---------------------------------------------------------------- packed


def packed(path: Path, **files: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/") + ".py", text)


def test_a_zip_file_is_as_good_as_what_is_in_it(house: Path) -> None:
    """In a learner's folder its files are the learner's; beside the folders it is one."""
    folder = house / "class"
    packed(folder / "ada" / "week 1.zip", work__exercise01a_double="a", exercise01b_double="b")
    packed(folder / "Bob Ross_77_assignsubmission_file_.zip", exercise01a_double="c")
    found = handed_in(folder, house / "unpacked")
    assert [(entry.learner, entry.exercise and entry.exercise.id, entry.note) for entry in found] == [
        ("Bob Ross_77", "01a", ""),
        ("ada", "01a", ""),
        ("ada", "01b", ""),
    ]
    assert [entry.file.read_text() for entry in found if entry.file] == ["c", "a", "b"]


def test_nothing_is_written_outside_of_the_folder(house: Path) -> None:
    packed(house / "class" / "ada" / "work.zip", **{"..__..__..__exercise01a_double": "a"})
    (entry,) = handed_in(house / "class", house / "unpacked")
    assert entry.file is not None
    assert entry.file.is_relative_to(house / "unpacked")


def test_what_cannot_be_unpacked_is_told(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut off, too large, too many: all are lines, and the learner's other files are graded."""
    folder = house / "class"
    packed(folder / "ada" / "large.zip", exercise01b_double="b" * 1000)
    packed(folder / "ada" / "many.zip", **{f"exercise01{letter}_double": "b" for letter in "abc"})
    (folder / "ada" / "cut.zip").write_bytes((folder / "ada" / "large.zip").read_bytes()[:50])
    (folder / "ada" / A).write_text("a")
    monkeypatch.setattr("curriculum.grader.packed.LARGEST", 500)
    monkeypatch.setattr("curriculum.grader.packed.MOST", 2)
    graded, told = handed_in(folder, house / "unpacked")
    assert graded.file == folder / "ada" / A
    names = ("cut.zip", "large.zip", "many.zip")
    assert told.note == "no exercise's name: " + ", ".join(f"{name} (packed: unpack it)" for name in names)
