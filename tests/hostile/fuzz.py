"""Fuzzing of every reader: valid files, damaged at random by Hypothesis, and what must hold whatever is in them.

Opened as a command opens it and read to its end, a source is a data set or one line of linprobe's own error. Nothing in
it runs, nothing is written but the cache, no more than twice the memory of the valid file is taken and some to spare,
and it ends. A process of its own reads, so that a crash or a hang is a finding too, with the input still on the disk.

    make fuzz                                60 seconds a reader: FUZZ_SECONDS=600 make fuzz for more
    python tests/hostile/fuzz.py hdf5 npz    these readers
"""

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from mutations import Change, change, changed  # noqa: E402  # pyright: ignore[reportMissingImports]
from seeds import READERS, Seed, made  # noqa: E402  # pyright: ignore[reportMissingImports]

SPARE = 32 * 2**20  # bytes of memory, beside twice what the valid file takes
# A header may announce any picture that is decoded: Pillow takes 64 MiB for 4096 x 4096, and a few times that for one
# which is transparent, turned or resized.
SPARE_OF: dict[str, int] = dict.fromkeys(("pictures", "parquet", "webdataset"), 256 * 2**20)
ADDRESSES = 8 * 2**30  # bytes that the process may ask for at all
DEADLINE = 10  # seconds for one input
ROUND = 200  # examples, after which Hypothesis begins anew
CANARY = "canary"
# What Python says of itself while it runs (https://docs.python.org/3/library/audit_events.html), that no reader does.
RUNS = ("os.system", "os.exec", "os.fork", "os.posix_spawn", "subprocess.Popen", "pickle.find_class", "socket.connect")
WRITES = ("os.mkdir", "os.rename", "os.link", "os.symlink", "os.truncate", "os.chmod")  # of removals there are traces


@dataclass
class Tally:
    """What came of the inputs of one reader."""

    examples: int = 0
    opened: int = 0
    memory: int = 0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)

    @property
    def refused(self) -> int:
        """Inputs that were neither read nor a failure."""
        return self.examples - self.opened

    def add(self, other: "Tally") -> None:
        """Take in what another process has found."""
        self.examples, self.opened = self.examples + other.examples, self.opened + other.opened
        self.memory, self.seconds = max(self.memory, other.memory), max(self.seconds, other.seconds)
        self.failures += [failure for failure in other.failures if failure not in self.failures]


def fuzz(reader: str, out: Path, *, seconds: float, examples: int | None = None) -> Tally:
    """Fuzz a reader for so long, or for so many examples; the inputs that fail lie in `out` then."""
    tally, end, number = Tally(), time.monotonic() + seconds, 0
    while time.monotonic() < end:
        with tempfile.TemporaryDirectory() as folder:
            left = end - time.monotonic()
            command = [sys.executable, __file__, "--child", reader, folder, str(number), str(left), str(examples or 0)]
            environment = os.environ | {"LINPROBE_DATA": f"{folder}/cache", "PYTHONDONTWRITEBYTECODE": "1"}
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            with contextlib.suppress(FileNotFoundError):
                tally.add(Tally(**json.loads(Path(folder, "tally.json").read_text())))
            if done.returncode > 0:
                raise RuntimeError(f"{reader}: fuzzing itself fails\n{done.stderr}")
            if done.returncode:
                how = signal.Signals(-done.returncode).name
                tally.failures.append("hangs" if how == "SIGALRM" else f"the process ends: {how}")
                shutil.copytree(Path(folder, "work"), Path(folder, "failed"), dirs_exist_ok=True)
            if Path(folder, "failed").is_dir():
                shutil.copytree(Path(folder, "failed"), out / f"{reader}-{number}", dirs_exist_ok=True)
        number += 1_000
        if examples is not None:
            break
    return tally


class Watch:
    """What a reader does while it is watched, and must not."""

    def __init__(self, cache: str) -> None:
        self.cache, self.on, self.seen = cache, False, list[str]()
        sys.addaudithook(self._event)

    def __enter__(self) -> None:
        self.on, self.seen = True, []

    def __exit__(self, *_: object) -> None:
        self.on = False

    def _event(self, event: str, arguments: Sequence[Any]) -> None:
        if not self.on:
            return
        if event == "open":
            _, mode, flags = arguments
            if not (set(mode or "") & set("wax+") or (flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
                return
        elif event not in (*RUNS, *WRITES):
            return
        ours = isinstance(arguments[0], int) or str(arguments[0]).startswith(self.cache)
        if event in RUNS or not ours:
            self.seen.append(f"{event} {arguments[0]!r}")


class Bench:
    """Where one input after another is put and read. Raises AssertionError where something does not hold."""

    def __init__(self, reader: str, folder: Path, tally: Tally) -> None:
        from gadgets import dumped, Call  # noqa: I001  # pyright: ignore[reportMissingImports]

        self.reader, self.folder, self.tally = reader, folder, tally
        self.watch = Watch(str(folder / "cache"))
        (folder / "seeds").mkdir()
        self.seeds: list[Seed] = made(reader, folder / "seeds")
        self.donors = [raw for seed in self.seeds for raw in seed.files.values()]
        self.donors.append(dumped(Call(os.mkdir, str(folder / CANARY))))
        self.valid: list[int] = []
        self.failure: Exception | None = None
        for seed in self.seeds:
            for _ in range(2):  # the first imports what it needs
                opened, memory = self._read(seed)
            if not opened:
                raise RuntimeError(f"{reader}: {seed.opened or sorted(seed.files)} is not read as it is")
            self.valid.append(memory)

    def examine(self, number: int, which: int, how: Change) -> None:
        """Change one file of a seed, and read it."""
        seed = self.seeds[number % len(self.seeds)]
        name = list(seed.files)[which % len(seed.files)]
        files = seed.files | {name: changed(seed.files[name], how, self.donors)}
        start = time.monotonic()
        self.tally.examples += 1
        try:
            opened, memory = self._read(seed._replace(files=files))
            self.tally.opened += opened
            self.tally.memory = max(self.tally.memory, memory)
            allowed = 2 * self.valid[number % len(self.seeds)] + SPARE_OF.get(self.reader, SPARE)
            assert memory <= allowed, f"takes {memory / 2**20:.0f} MiB, of {allowed / 2**20:.0f}"
        except Exception as error:
            self.failure = error
            shutil.rmtree(self.folder / "failed", ignore_errors=True)
            shutil.copytree(self.folder / "work", self.folder / "failed")
            raise
        finally:
            self.tally.seconds = max(self.tally.seconds, time.monotonic() - start)

    def _read(self, seed: Seed) -> tuple[bool, int]:
        """Whether it is read, and the bytes of memory that this takes at most."""
        for name in ("work", "cache"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        for name, raw in seed.files.items():
            path = self.folder / "work" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(raw)
        before = memory_now()
        with silent(self.folder / "said"), self.watch:
            opened = self._open(self.folder / "work" / seed.opened)
        work = self.folder / "work"
        there = {str(path.relative_to(work)): path.read_bytes() for path in work.rglob("*") if not path.is_dir()}
        assert not (self.folder / CANARY).exists(), "runs what is in it"
        assert not self.watch.seen, f"does what no reader should: {self.watch.seen[0]}"
        assert there == seed.files, "changes its source, or writes beside it"
        return opened, memory_peak() - before

    def _open(self, path: Path) -> bool:
        from linprobe.data.formats import contents, open_dataset
        from linprobe.errors import LinprobeError
        from linprobe.model import load

        try:
            if self.reader == "models":
                load(path)
                return True
            dataset = open_dataset(path)
            assert dataset.fingerprint  # which reads all of it
            shown = [*dataset.classes, *dataset.notes, dataset.name]
            found = contents(path)
            shown += [] if found is None else [found.format]
            read = True
        except LinprobeError as error:
            shown, read = [str(error), *causes(error)], False
        assert "MemoryError" not in shown, f"asks for more memory than is there: {shown[0]}"
        assert all(text.isprintable() and len(text) < 1_000 for text in shown), f"cannot be shown: {shown!r}"
        return read


def causes(error: BaseException | None) -> list[str]:
    """The names of the errors that led to one, and its own."""
    return [] if error is None else [type(error).__name__, *causes(error.__cause__ or error.__context__)]


@contextlib.contextmanager
def silent(path: Path) -> Generator[None]:
    """Hold that nothing is said on standard output or error, by libraries neither, and nothing is warned of."""
    from linprobe.errors import UncheckedFileWarning

    kept = [os.dup(1), os.dup(2)]
    with path.open("w+b") as file, warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        for number in (1, 2):
            os.dup2(file.fileno(), number)
        try:
            yield
        finally:
            for number, old in zip((1, 2), kept, strict=True):
                os.dup2(old, number)
                os.close(old)
        file.seek(0)
        said = file.read(200)
    assert not said, f"says {said!r}"
    found = [str(each.message) for each in found if not issubclass(each.category, UncheckedFileWarning)]
    assert not found, f"warns {found[0]}"


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024
    raise KeyError(key)


def memory_now() -> int:
    """Bytes of memory that this process has; its peak counts from here. Needs Linux."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def memory_peak() -> int:
    """The most bytes that it had since."""
    return _status("VmHWM")


def child(reader: str, folder: Path, number: int, seconds: float, examples: int) -> None:
    """Fuzz a reader in this process, in an empty folder that keeps the input and the tally."""
    from hypothesis import HealthCheck, given, seed, settings
    from hypothesis import strategies as st

    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    end, tally = time.monotonic() + seconds, Tally()
    bench = Bench(reader, folder, tally)
    checks: Any = list(HealthCheck)
    few = settings(max_examples=examples or ROUND, database=None, deadline=None, suppress_health_check=checks)
    while time.monotonic() < end:

        @seed(number)
        @few
        @given(st.integers(0, 9), st.integers(0, 9), change)
        def run(seed: int, which: int, how: Change) -> None:
            signal.alarm(DEADLINE)  # which ends the process, whatever it is at
            if time.monotonic() < end + DEADLINE:  # shrinking may take minutes
                bench.examine(seed, which, how)
            signal.alarm(0)
            if not tally.examples % 20:
                (folder / "tally.json").write_text(json.dumps(asdict(tally)))

        try:
            run()
        except Exception as error:  # noqa: BLE001  # whatever a reader lets through is what is looked for
            found = bench.failure or error  # Hypothesis has its own where a failure does not come again
            said = " ".join(str(found).replace(str(folder), "").split())[:300]
            signal.alarm(0)
            tally.failures.append(said if isinstance(found, AssertionError) else f"{type(found).__name__}: {said}")
            (folder / "tally.json").write_text(json.dumps(asdict(tally)))
            return
        number += 1
        if examples:
            break
    (folder / "tally.json").write_text(json.dumps(asdict(tally)))


def main(readers: Sequence[str]) -> int:
    """Fuzz these readers, or all; print a table, and what failed."""
    seconds, out = float(os.environ.get("FUZZ_SECONDS", "60")), Path("fuzzed")
    say = sys.stdout.write
    say("| reader | examples | opened | refused | worst memory, MiB | worst seconds | failures |\n")
    say("|---|---:|---:|---:|---:|---:|---:|\n")
    failures: list[str] = []
    for reader in readers or READERS:
        tally = fuzz(reader, out, seconds=seconds)
        failures += [f"{reader}: {failure}" for failure in tally.failures]
        say(
            f"| {reader} | {tally.examples:,} | {tally.opened:,} | {tally.refused:,} | {tally.memory / 2**20:.1f} "
            f"| {tally.seconds:.2f} | {len(tally.failures)} |\n"
        )
        sys.stdout.flush()
    for failure in failures:
        say(f"{failure}\n")
    if failures:
        say(f"The inputs are in {out}/.\n")
    return bool(failures)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        _, _, reader, folder, number, seconds, examples = sys.argv
        child(reader, Path(folder), int(number), float(seconds), int(examples))
    else:
        sys.exit(main(sys.argv[1:]))
