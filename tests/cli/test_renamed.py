"""Old names of options and values: they work for one version, with a warning, and run.json has the new ones."""

import json

import pytest

from linprobe.cli import renamed

SMALL = ["tune", "digits", "--reg", "1", "--out", "run"]


def commanded(tmp_path):
    numbers = json.loads((tmp_path / "run" / "run.json").read_text())
    return numbers["command"], numbers


def test_old_names_do_what_the_new_ones_do_and_say_so(run, tmp_path):
    old = ["--train", "300", "--val=50", "--test", "40", "--features", "standardised", "--precision", "double"]
    new = ["--train-size", "300", "--val-size=50", "--test-size", "40", "--prepare", "standardised",
           "--precision", "float64"]  # fmt: skip
    status, _, err = run(*SMALL, *old)
    assert status == 0
    assert err.splitlines() == [
        f"linprobe: warning: {was} is now {now}; the old name works in this version only"
        for was, now in (("--train", "--train-size"), ("--val", "--val-size"), ("--test", "--test-size"),
                         ("--features", "--prepare"), ("--precision double", "--precision float64"))
    ]  # fmt: skip
    command, numbers = commanded(tmp_path)
    assert command == " ".join(["linprobe", *SMALL, *new])
    assert [numbers["data"][name] for name in ("train", "val", "test")] == [300, 50, 40]
    assert (numbers["options"]["features"], numbers["grid"]["precision"]) == ("standardised", "float64")
    before = (tmp_path / "run" / "model.safetensors").read_bytes()
    assert run(*SMALL, *new, "--force")[::2] == (0, "")
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (["worksheet", "--precision=single"], ["worksheet", "--precision=float32"]),
        (["worksheet", "--train=9"], ["worksheet", "--train-size=9"]),
        (["tune", "single", "--loss", "double"], ["tune", "single", "--loss", "double"]),
        (["tune", "--train-size", "9", "--test-size=9"], ["tune", "--train-size", "9", "--test-size=9"]),
        (["check", "--test"], ["check", "--test"]),
        (["tune", "a.npz", "--val", "b.npz", "--test=c.npz"], ["tune", "a.npz", "--val", "b.npz", "--test=c.npz"]),
        (["tune", "a.npz", "--val=50"], ["tune", "a.npz", "--val-size=50"]),
        (["worksheet", "--test", "many"], ["worksheet", "--test-size", "many"]),
        ([], []),
    ],
)
def test_only_old_names_are_replaced(written, meant, capsys):
    assert renamed.modern(written) == meant
    assert capsys.readouterr().err.count("warning") == (written != meant)


WRONG = {
    "SGD": (["tune", "digits", "--solver", "sgd", "--precision", "float64"], "--precision float64: SGD has float32"),
    "worksheet": (["worksheet", "--precision", "float64"], "--precision float64: SGD has float32 and bfloat16"),
    "exact": (["tune", "digits", "--precision", "bfloat16"], "--precision bfloat16: the exact solver has float32"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_precision_that_a_solver_does_not_have_is_refused(run, case):
    arguments, said = WRONG[case]
    status, out, err = run(*arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"linprobe: {said}")
