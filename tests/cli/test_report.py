"""`linprobe report` as a user types it: the page again, and one line for what is no run."""

import json
import shutil

import pytest

from linprobe.cli import main

QUICK = ["--iterations", "20", "--learning-rate", "1e-3", "--reg", "0.1,1"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run folder, as `linprobe worksheet` leaves it."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["linprobe", "worksheet", "digits", "--out", str(folder), *QUICK])
        with pytest.raises(SystemExit) as exit_:
            main()
    assert exit_.value.code == 0
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


@pytest.mark.slow
def test_the_page_is_written_again(run, folder):
    page = (folder / "report.html").read_bytes()
    assert page.startswith(b"<!doctype html>")
    (folder / "report.html").unlink()
    status, out, err = run("report", folder)
    assert (status, err) == (0, "")
    assert (folder / "report.html").read_bytes() == page
    assert "report.html" in "".join(out.split())
    assert f"{len(page) / 1e6:.1f} MB" in " ".join(out.split())


def test_it_is_made_from_what_the_folder_says_now(run, folder):
    numbers = json.loads((folder / "run.json").read_text())
    numbers["command"] = "linprobe worksheet something else"
    (folder / "run.json").write_text(json.dumps(numbers))
    assert run("report", folder)[0] == 0
    assert "linprobe worksheet something else" in (folder / "report.html").read_text()


def test_another_file_is_written_when_asked_for(run, folder, tmp_path):
    before = (folder / "report.html").stat()
    status, out, _ = run("report", "run", "--out", "page.html")
    assert status == 0
    assert "page.html" in out
    assert (tmp_path / "page.html").read_bytes() == (folder / "report.html").read_bytes()
    assert (folder / "report.html").stat().st_mtime_ns == before.st_mtime_ns


def test_for_programs_it_prints_where_the_page_is(run, folder):
    status, out, err = run("report", "run", "--json", "--out", "page.html")
    assert (status, err) == (0, "")
    assert json.loads(out) == {"run": "run", "page": "page.html", "bytes": (folder.parent / "page.html").stat().st_size}


WRONG = {
    "nothing": (["report"], 2, ["RUN is missing"]),
    "no folder": (["report", "nowhere"], 1, ["nowhere: is not a folder", "linprobe worksheet"]),
    "a file": (["report", "run/run.json"], 1, ["run.json: is not a folder"]),
    "another folder": (["report", "."], 1, ["holds no run.json"]),
    "out below a file": (["report", "run", "--out", "run/run.json/page.html"], 1, ["run/run.json/page.html"]),
    "out is a folder": (["report", "run", "--out", "run"], 1, ["run: is a folder; name a file"]),
    "unknown option": (["report", "run", "--jso"], 2, ["--jso: is not an option", "did you mean --json?"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_gets_one_line(case, run, folder):
    arguments, expected, words = WRONG[case]
    page = (folder / "report.html").read_bytes()
    status, out, err = run(*arguments)
    assert status == expected
    assert err.count("\n") == 1
    assert "Traceback" not in out + err
    for word in words:
        assert word in err
    assert (folder / "report.html").read_bytes() == page


DAMAGED = {
    "run.json": b'{"command": 1}',
    "model.safetensors": b"no model",
    "evidence.safetensors": b"\x00" * 80,
}


@pytest.mark.parametrize("name", DAMAGED)
@pytest.mark.parametrize("how", ["other bytes", "cut off", "gone"])
def test_a_damaged_file_gets_one_line_that_names_it(name, how, run, folder):
    path, page = folder / name, (folder / "report.html").read_bytes()
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(DAMAGED[name] if how == "other bytes" else path.read_bytes()[:-20])
    status, _, err = run("report", "run")
    assert status == 1
    assert err.count("\n") == 1
    assert "run" in err
    assert how == "gone" or name in err
    assert (folder / "report.html").read_bytes() == page
    assert sorted(file.name for file in folder.iterdir() if file.name.startswith(".")) == []


def test_a_bug_of_ours_is_not_blamed_on_the_run(run, folder, monkeypatch):
    def broken(*_):
        raise KeyError("planted")

    monkeypatch.setattr("linprobe.report.page.facts_of", broken)
    monkeypatch.delenv("LINPROBE_TRACEBACK", raising=False)
    status, _, err = run("report", "run")
    assert (status, err.count("\n")) == (1, 1)
    assert err.startswith("linprobe: unexpected KeyError: 'planted'; this is a fault of linprobe's: please report it")
