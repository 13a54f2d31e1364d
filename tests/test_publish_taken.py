"""Places that are taken, folders that are replaced, and processes that are killed or meet."""

import errno
import signal
import time
from pathlib import Path

import pytest

from linprobe import publish
from linprobe.errors import OutputError, UsageError
from linprobe.publish import claimed, publish_folder
from publishing import assert_one_line, content, fill, half, names, publish_with, python

# ---- places that are taken


@pytest.mark.parametrize("replace", [False, True])
def test_a_file_in_place_of_the_folder_is_refused(tmp_path, replace):
    path = tmp_path / "run"
    path.write_text("precious")
    with pytest.raises(UsageError) as caught, publish_folder(path, replace=replace):
        pytest.fail("the block must not start")
    assert_one_line(caught, path, "exists and is not a folder")
    assert "--force" not in str(caught.value)  # would not help
    assert path.read_text() == "precious"


def test_a_folder_that_is_not_empty_is_refused(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    (path / ".hidden").write_text("precious")
    with pytest.raises(UsageError) as caught, publish_folder(path):
        pytest.fail("the block must not start")
    assert_one_line(caught, path, "exists and is not empty", "--force")
    assert content(tmp_path) == {"run/.hidden": "precious"}


@pytest.mark.parametrize("replace", [False, True])
def test_what_cannot_be_replaced_at_the_end_is_refused_at_the_start(tmp_path, monkeypatch, replace):
    here = tmp_path / "here" / "and" / "now"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    places = [Path(), here] + ([here.parent, Path("../..")] if replace else [])
    for path in places:
        with pytest.raises(UsageError) as caught, publish_folder(path, replace=replace):
            pytest.fail("the block must not start")
        assert_one_line(caught, path, "as the current folder", "a folder inside it")
    monkeypatch.chdir("/")
    monkeypatch.setattr(Path, "is_mount", lambda self: self == here)
    with pytest.raises(UsageError) as caught, publish_folder(here, replace=replace):
        pytest.fail("the block must not start")
    assert_one_line(caught, here, "as a disk", "a folder inside it")
    assert here.is_dir()


def test_a_link_to_itself_is_refused(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(UsageError) as caught, publish_folder(tmp_path / "loop"):
        pytest.fail("the block must not start")
    assert_one_line(caught, tmp_path / "loop", "is not a folder")


# ---- replace=True


def test_replace_keeps_the_old_folder_until_the_new_one_is_complete(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    (path / "old only").write_text("old")
    with publish_folder(path, replace=True) as partial:
        fill(partial)
        assert content(path) == {"old only": "old"}
    assert content(path) == {"a.txt": "new", "deep/er/b.txt": "new"}
    assert names(tmp_path) == ["run"]


def test_replace_of_nothing_is_a_first_time(tmp_path):
    with publish_folder(tmp_path / "run", replace=True) as partial:
        fill(partial)
    assert set(content(tmp_path / "run").values()) == {"new"}


@pytest.mark.parametrize("failure", [OSError(errno.EIO, "x"), KeyboardInterrupt()], ids=["disk", "Ctrl-C"])
@pytest.mark.parametrize("fails", [1, 2])
def test_replace_puts_the_old_folder_back_when_a_rename_fails(tmp_path, monkeypatch, fails, failure):
    path = tmp_path / "run"
    path.mkdir()
    (path / "precious").write_text("old")
    calls = []
    rename = Path.rename

    def failing(self, target):
        calls.append(self)
        if len(calls) == fails:
            raise failure
        return rename(self, target)

    expected = OutputError if isinstance(failure, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        publish_with(publish_folder, path, half, lambda _: monkeypatch.setattr(Path, "rename", failing), replace=True)
    assert content(tmp_path) == {"run/precious": "old"}


def test_replace_never_deletes_what_it_could_not_put_back(tmp_path, monkeypatch):
    path = tmp_path / "run"
    path.mkdir()
    (path / "precious").write_text("old")
    rename = Path.rename

    def only_once(self, target):
        monkeypatch.setattr(Path, "rename", denied)
        return rename(self, target)

    def denied(self, target):
        raise PermissionError(errno.EACCES, "Permission denied")

    with pytest.raises(OutputError):
        publish_with(publish_folder, path, half, lambda _: monkeypatch.setattr(Path, "rename", only_once), replace=True)
    assert [file.read_text() for file in tmp_path.rglob("precious")] == ["old"]


# ---- processes that are killed, and processes that meet

HALF = """
import sys, time
from pathlib import Path
from linprobe import publish
with getattr(publish, sys.argv[1])(Path(sys.argv[2]), **eval(sys.argv[3])) as partial:
    (partial / "half" if partial.is_dir() else partial).write_text("half")
    print("written", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("publishing", ["publish_file", "publish_folder"])
def test_kill_9_in_the_middle_leaves_nothing_under_the_name(tmp_path, publishing):
    fresh, old = tmp_path / "fresh", tmp_path / "old"
    if publishing == "publish_file":
        old.write_text("old")
        options = "{}"
    else:
        old.mkdir()
        (old / "file").write_text("old")
        options = "dict(replace=True)"
    children = [python(HALF, publishing, path, options) for path in (fresh, old)]
    for child in children:
        assert child.stdout.readline() == "written\n"
        child.send_signal(signal.SIGKILL)
        child.communicate(timeout=30)
        assert child.returncode == -signal.SIGKILL
    assert [name for name in names(tmp_path) if not name.startswith(".")] == ["old"]
    assert (old if old.is_file() else old / "file").read_text() == "old"
    left = [name for name in names(tmp_path) if name.startswith(".")]
    assert len(left) == 2
    assert all(name.endswith(".partial") for name in left)
    # What a killed process left is in nobody's way.
    with getattr(publish, publishing)(fresh) as partial:
        (partial / "file" if partial.is_dir() else partial).write_text("whole")
    assert (fresh if fresh.is_file() else fresh / "file").read_text() == "whole"


def test_ctrl_c_in_the_middle_leaves_nothing_at_all(tmp_path):
    child = python(HALF, "publish_folder", tmp_path / "runs" / "run", "{}")
    assert child.stdout.readline() == "written\n"
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=30)
    assert "KeyboardInterrupt" in err
    assert names(tmp_path) == []


OVER_AND_OVER = """
import itertools, sys
from pathlib import Path
from linprobe.publish import publish_file, publish_folder
for number in itertools.count():
    with publish_file(Path(sys.argv[1]) / "file") as partial:
        partial.write_text(f"{number}\\n" * 5_000)
    with publish_folder(Path(sys.argv[1]) / "folder", replace=True) as partial:
        for name in "abc":
            (partial / name).write_text(f"{number}\\n" * 100)
    if number == 0:
        print("begun", flush=True)
"""


def test_whenever_it_is_killed_or_looked_at_what_is_there_is_whole(tmp_path):
    seen = set()
    for moment in range(6):
        place = tmp_path / str(moment)
        place.mkdir()
        child = python(OVER_AND_OVER, place)
        assert child.stdout.readline() == "begun\n"
        end = time.monotonic() + 0.02 + 0.017 * moment
        while time.monotonic() < end:
            lines = (place / "file").read_text().splitlines()  # never missing: a file is replaced in one step
            assert len(lines) == 5_000
            assert len(set(lines)) == 1
            seen.add(lines[0])
        child.kill()
        child.communicate(timeout=30)
        if (place / "folder").exists():
            texts = set(content(place / "folder").values())
            assert names(place / "folder") == ["a", "b", "c"]
            assert len(texts) == 1
        else:  # killed between the two renames: the old folder is still there, hidden
            assert [len(list(old.iterdir())) for old in place.glob(".folder.*.old")] == [3]
        assert {name for name in names(place) if not name.startswith(".")} <= {"file", "folder"}
    assert len(seen) > 1  # otherwise nobody was looking while it changed


RIVAL = """
import sys
from pathlib import Path
from linprobe.errors import OutputError, UsageError
from linprobe.publish import publish_folder
me, replace = sys.argv[2], sys.argv[3] == "True"
for line in sys.stdin:
    try:
        with publish_folder(Path(sys.argv[1]) / line.strip(), replace=replace) as partial:
            for name in "abc":
                (partial / f"{name}{me}").write_text(me)
            print("ready", flush=True)
            sys.stdin.readline()
        print("won", flush=True)
    except (OutputError, UsageError) as error:
        print(type(error).__name__, str(error).count("\\n"), flush=True)
"""


@pytest.mark.parametrize("replace", [False, True])
def test_of_two_processes_one_wins_and_nothing_is_mixed(tmp_path, replace):
    rivals = [python(RIVAL, tmp_path, me, replace, bufsize=1) for me in "12"]
    for number in range(30):
        for rival in rivals:
            rival.stdin.write(f"run{number}\n")
        assert [rival.stdout.readline() for rival in rivals] == ["ready\n"] * 2  # both are inside their blocks
        for rival in rivals[:: (-1) ** number]:
            rival.stdin.write("go\n")
        ends = [rival.stdout.readline() for rival in rivals]
        found = content(tmp_path / f"run{number}")
        (winner,) = set(found.values())
        assert sorted(found) == [f"{name}{winner}" for name in "abc"]
        assert ends["12".index(winner)] == "won\n"
        if not replace:
            assert ends["21".index(winner)] in ("UsageError 0\n", "OutputError 0\n")
    for rival in rivals:
        rival.communicate(timeout=30)
    assert names(tmp_path) == sorted(f"run{number}" for number in range(30))


def test_who_comes_second_is_told_so_and_changes_nothing(tmp_path):
    path = tmp_path / "run"

    def fast(_partial):
        publish_with(publish_folder, path, fill)

    with pytest.raises(UsageError) as caught:
        publish_with(publish_folder, path, half, fast)
    assert_one_line(caught, path, "exists and is not empty")
    assert set(content(path).values()) == {"new"}
    assert names(tmp_path) == ["run"]


def test_who_replaces_what_is_being_replaced_loses_nothing_complete(tmp_path, monkeypatch):
    """Another process puts its folder there between our two renames."""
    path = tmp_path / "run"
    path.mkdir()
    (path / "old").write_text("old")
    rename = Path.rename

    def with_a_rival(self, target):
        result = rename(self, target)
        if self == path:
            path.mkdir()
            fill(path, "rival")
        return result

    with pytest.raises(OutputError):
        publish_with(
            publish_folder, path, half, lambda _: monkeypatch.setattr(Path, "rename", with_a_rival), replace=True
        )
    assert set(content(path).values()) == {"rival"}
    assert names(tmp_path) == ["run"]


# ---- claimed


def free_folder(path):
    with claimed(path, or_next=True) as folder:
        return folder


def test_the_next_free_folder_counts_on_from_two(tmp_path):
    path = tmp_path / "run"
    assert free_folder(path) == path
    path.mkdir()
    assert free_folder(path) == tmp_path / "run-2"
    (tmp_path / "run-2").write_text("a file is in the way as well")
    (tmp_path / "run-3").symlink_to(tmp_path / "nowhere")
    (tmp_path / "run-5").mkdir()
    assert free_folder(path) == tmp_path / "run-4"
    assert free_folder(tmp_path / "not there" / "run") == tmp_path / "not there" / "run"
    assert free_folder(tmp_path / "a.b") == tmp_path / "a.b"
    assert names(tmp_path) == ["run", "run-2", "run-3", "run-5"]


def test_a_claimed_folder_is_refused_by_name_and_passed_over_by_number(tmp_path):
    path = tmp_path / "run"
    with claimed(path), claimed(path, or_next=True) as second:
        assert second == tmp_path / "run-2"
        with pytest.raises(UsageError, match="another linprobe is at work on it"), claimed(path):
            pass
    assert free_folder(path) == path
