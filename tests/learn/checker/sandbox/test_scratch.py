import os
import stat
import tempfile

import pytest

from linprobe.learn.checker.sandbox.scratch import make, remove, sweep


def test_a_folder_is_removed_whatever_is_in_it(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    top = tmp_path / "top"
    top.mkdir()
    (top / "file").write_text("text")
    (top / "link").symlink_to(outside)
    (top / "nowhere").symlink_to(top / "no such file")
    os.mkfifo(top / "fifo")
    (top / "closed" / "inner").mkdir(parents=True)
    (top / "closed" / "inner" / "link").symlink_to(outside)
    (top / "closed" / "inner").chmod(0)
    (top / "closed").chmod(0)
    (top / "many").mkdir()
    for i in range(300):
        (top / "many" / str(i)).mkdir()
    remove(top)
    assert not top.exists()
    assert (outside / "kept").read_text() == "kept"
    assert stat.S_IMODE(outside.stat().st_mode) & stat.S_IRWXU == stat.S_IRWXU


def test_a_nest_of_folders_is_removed_to_any_depth(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    top = tmp_path / "top"
    top.mkdir()
    os.chdir(top)
    for _ in range(3_000):  # deeper than Python recurses, and the path longer than the system takes
        os.mkdir("d" * 20)  # noqa: PTH102
        os.chdir("d" * 20)
    with pytest.raises(OSError, match="too long"):
        os.stat(str(top) + ("/" + "d" * 20) * 3_000)  # noqa: PTH116
    os.chdir(tmp_path)
    remove(top)
    assert not top.exists()


def test_a_folder_that_is_gone_is_no_matter(tmp_path):
    remove(tmp_path / "gone")


def test_only_folders_that_nobody_holds_any_more_are_swept(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    in_use, held = make()
    left, not_held = make()
    (left / "scratch").mkdir()
    os.close(not_held)
    (tmp_path / "linprobe-check-file").write_text("kept")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "linprobe-check-link").symlink_to(elsewhere)
    try:
        sweep()
        assert {entry.name for entry in tmp_path.iterdir()} == {
            *(in_use.name, "elsewhere", "linprobe-check-file", "linprobe-check-link")
        }
    finally:
        os.close(held)
    another, held = make()
    os.close(held)
    assert another.is_dir()
    assert not in_use.exists()


def test_a_folder_of_another_user_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left, held = make()
    os.close(held)
    monkeypatch.setattr(os, "geteuid", lambda: left.stat().st_uid + 1)
    sweep()
    assert left.exists()
