"""A campaign against the reading of MNIST: faults by the thousand, and never a wrong digit.

    python -m tests.torture.data_faults

Each of the four files is cut off, changed bit by bit, given other headers, another type or another file's
content, replaced by things that are no file, and changed while it is read. Downloads are cut off, damaged and
killed. Every attempt must end in the right digits, or in one line that names the file and says what to do.
"""

import argparse
import contextlib
import io
import os
import random
import shutil
import signal
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchvision.datasets import MNIST

from curriculum import UserError, data, mnist_files
from tests.support.mnist import FAULTS, NAMES, Server, download
from tests.torture import end_without_fork

PATIENCE = 120  # seconds, after which an attempt counts as hanging


@dataclass
class Campaign:
    """Where it happens, what is right, and how often each outcome was seen.

    points: random places per file at which it is cut off, and at which a bit is flipped.
    kills: downloads that are killed.
    """

    source: Path
    folder: Path
    points: int
    kills: int
    rng: random.Random
    truth: dict[str, Tensor]
    seen: Counter[str] = field(default_factory=Counter)

    def read(self, path: Path, right: Callable[[Tensor], bool]) -> None:
        self.seen[outcome(partial(mnist_files.read, path), path.name, right)] += 1


def main(points: int = 40, kills: int = 8, seed: int = 0) -> Counter[str]:
    """Run the campaign; print and return how often each outcome was seen."""
    signal.signal(signal.SIGALRM, hangs)
    source, missing = mnist_files.locate()
    if missing:
        raise SystemExit("needs MNIST: set PATH_DATASETS to the folder that holds MNIST/raw")
    truth = {name: mnist_files.read(source / name) for name in NAMES}
    with tempfile.TemporaryDirectory() as folder:
        campaign = Campaign(source, Path(folder), points, kills, random.Random(seed), truth)
        for part in (contents, things, races, downloads, killings):
            before = campaign.seen.copy()
            with contextlib.redirect_stderr(io.StringIO()):  # the progress of each download
                part(campaign)
            print(f"{part.__name__}: {dict(campaign.seen - before)}", flush=True)
    seen = campaign.seen
    other = {kind: count for kind, count in seen.items() if kind not in ("refused", "right", "wrong")}
    print(
        f"{sum(seen.values())} faults tried, {seen['refused']} refused with one clear line, "
        f"{seen['right']} without harm, {seen['wrong']} wrong results, other outcomes: {other or 0}"
    )
    return seen


def hangs(*_: object) -> None:
    raise TimeoutError("hangs")


def outcome(attempt: Callable[[], object], name: str, right: Callable[[Any], bool]) -> str:
    """refused, right, wrong, unclear (a message that does not name the file or the way out), or the error."""
    signal.alarm(PATIENCE)
    try:
        return "right" if right(attempt()) else "wrong"
    except UserError as error:
        line = str(error)
        clear = "\n" not in line and name in line and ("--data digits" in line or "delete it" in line)
        return "refused" if clear else f"unclear: {line}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)


def never(result: object) -> bool:
    """A damaged file that is read is wrong, whatever comes out."""
    return False


# ---------------------------------------------------------------- the files' contents


def contents(campaign: Campaign) -> None:
    for name in NAMES:
        for content in changed(name, campaign):
            (campaign.folder / name).write_bytes(content)
            campaign.read(campaign.folder / name, never)


def changed(name: str, campaign: Campaign) -> Iterator[bytes]:
    """The file's content with one fault after the other."""
    whole, points, rng = (campaign.source / name).read_bytes(), campaign.points, campaign.rng
    dimensions = whole[3]
    header = 4 + 4 * dimensions
    for length in [*range(header + 1), *(rng.randrange(header, len(whole)) for _ in range(points))]:
        yield whole[:length]
    for bit in [*range(8 * header), *(rng.randrange(8 * len(whole)) for _ in range(points))]:
        yield whole[: bit // 8] + bytes([whole[bit // 8] ^ 1 << bit % 8]) + whole[bit // 8 + 1 :]
    for code in set(range(256)) - {8}:  # 8 are unsigned bytes
        yield whole[:2] + bytes([code]) + whole[3:]
    for place in range(4, header, 4):
        count = int.from_bytes(whole[place : place + 4], "big")
        for wrong in (0, 1, count - 1, count + 1, 2 * count, 2**31 - 1, 2**31, 2**32 - 1):
            yield whole[:place] + wrong.to_bytes(4, "big") + whole[place + 4 :]
    if dimensions > 1:  # the same bytes in other shapes that fit: all in one row, and sizes in reverse order
        yield whole[:3] + bytes([1]) + (len(whole) - header).to_bytes(4, "big") + whole[header:]
        sizes = [whole[place : place + 4] for place in range(4, header, 4)]
        yield whole[:4] + b"".join(reversed(sizes)) + whole[header:]
    for extra in (b"\0", rng.randbytes(1000), whole[:10_000]):
        yield whole + extra
    for other in NAMES:
        if other != name:
            yield (campaign.source / other).read_bytes()
    for a, b in (rng.sample(range(header, len(whole)), 2) for _ in range(points)):
        if whole[a] != whole[b]:  # two bytes change places: sums stay the same
            swapped = bytearray(whole)
            swapped[a], swapped[b] = swapped[b], swapped[a]
            yield bytes(swapped)


# ---------------------------------------------------------------- what is no file, or does not keep still


def things(campaign: Campaign) -> None:
    """Each fault of `tests/support/mnist.py` in each file, through the whole of `load`."""
    raw = campaign.folder / "things" / "MNIST" / "raw"
    for name in NAMES:
        for fault in FAULTS.values():
            links(campaign.source, raw, NAMES)
            fault(raw / name)
            campaign.seen[outcome(partial(data.load, "auto", raw.parents[1]), name, never)] += 1
            shutil.rmtree(raw)


def links(source: Path, raw: Path, names: list[str]) -> None:
    raw.mkdir(parents=True)
    for name in names:
        (raw / name).symlink_to(source / name)


def races(campaign: Campaign) -> None:
    """A file is overwritten, again and again, while it is read: some reads see half of each."""
    for name in NAMES[1::2]:
        path, done = campaign.folder / name, threading.Event()
        whole = (campaign.source / name).read_bytes()
        path.write_bytes(whole)
        thread = threading.Thread(target=overwrite, args=(path, whole, done))
        thread.start()
        for _ in range(25 * campaign.points):
            campaign.read(path, partial(torch.equal, campaign.truth[name]))
        done.set()
        thread.join()


def overwrite(path: Path, whole: bytes, done: threading.Event) -> None:
    wrong = whole[:8] + bytes(byte ^ 1 for byte in whole[8:])
    with path.open("r+b", buffering=0) as file:
        while not done.is_set():
            for content in (wrong, whole):
                file.seek(0)
                for start in range(0, len(content), 4096):
                    file.write(content[start : start + 4096])
                done.wait(0.001)


# ---------------------------------------------------------------- downloads


@contextlib.contextmanager
def served(source: Path) -> Iterator[Server]:
    before = (MNIST.mirrors, MNIST.resources, mnist_files.TIMEOUT)
    with Server(source) as server:
        MNIST.mirrors, MNIST.resources, mnist_files.TIMEOUT = [server.url], server.resources, 1.0
        try:
            yield server
        finally:
            MNIST.mirrors, MNIST.resources, mnist_files.TIMEOUT = before


def downloads(campaign: Campaign) -> None:
    """One file is missing; the server sends it cut off, with a flipped bit, as noise, or not at all."""
    name = "t10k-images-idx3-ubyte"
    others = sorted(set(NAMES) - {name})
    with served(campaign.source) as server:
        whole = server.files[f"{name}.gz"]
        for number in range(campaign.points):
            raw = campaign.folder / f"download {number}" / "MNIST" / "raw"
            links(campaign.source, raw, others)
            place = campaign.rng.randrange(len(whole))
            flipped = (
                whole[:place] + bytes([whole[place] ^ 1 << campaign.rng.randrange(8)]) + whole[place + 1 :]
            )
            server.spoil[f"{name}.gz"] = (whole[:place], flipped, campaign.rng.randbytes(place), 500)[
                number % 4
            ]
            result = outcome(partial(data.load, "auto", raw.parents[1]), name, never)
            left = sorted(path.name for path in raw.iterdir())
            campaign.seen[result if left == others else f"left behind: {left}"] += 1


def killings(campaign: Campaign) -> None:
    """A download is killed after its first, second, … request. The next one must make the folder whole."""
    with served(campaign.source) as server:
        for number in range(campaign.kills):
            place = campaign.folder / f"kill {number}"
            killed(server, place, number % 8 + 1, campaign.rng)
            result = outcome(partial(data.load, "mnist", place), "", lambda _: True)
            campaign.seen["wrong" if mnist_files.damaged(place / "MNIST" / "raw") else result] += 1


def killed(server: Server, place: Path, requests: int, rng: random.Random) -> None:
    """Begin a download in another process; kill it soon after it has asked the server so many times."""
    server.asked.clear()
    process = download(server, place)
    while len(server.asked) < requests and process.poll() is None:
        threading.Event().wait(0.005)
    threading.Event().wait(rng.uniform(0, 0.3))
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


if __name__ == "__main__":
    end_without_fork()
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--points", type=int, default=40)
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    counted = main(**vars(parser.parse_args()))
    raise SystemExit(0 if set(counted) <= {"refused", "right"} else 1)
