"""Comparing with the exact solver: folds, trials, screening, and work that goes on where it was interrupted."""

import numpy as np
import pytest

from linprobe.compare import compare as comparing
from linprobe.compare.checkpoint import Checkpoint
from linprobe.compare.compare import Control, compare
from linprobe.compare.exact import Exact
from linprobe.compare.held_out import HeldOut
from linprobe.compare.screen import screen
from linprobe.compare.settings import Axis, Grid, Path, Trials
from linprobe.compare.solver import Resources
from linprobe.core.certificate import certify
from linprobe.core.exact import solver as engine
from linprobe.core.exact.problem import solve_bytes
from linprobe.core.exact.solver import solve
from linprobe.errors import IncompatibleError

REGS = np.geomspace(1, 1e-5, 6)
TOLERANCE = 1e-6


class Interrupted(Exception):  # noqa: N818
    """What stands for a Ctrl-C at a moment that the test chooses."""


def draw(n=240, D=12, K=3, apart=0.8, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % K)
    return (rng.standard_normal((n, D)) + apart * rng.standard_normal((K, D))[y]).astype(np.float32), y


def run(data, held_out, loss="softmax", space=None, **control):
    # In double precision, or what is little memory for one would be too little for the other.
    precision = "double" if control.get("resources", Resources()).memory else "auto"
    solver, classes = Exact(loss=loss, tol=TOLERANCE, precision=precision), int(data[1].max()) + 1
    X, y = data
    return compare(X, y, space or Path(REGS), held_out, solver, classes=classes, control=Control(**control))


def in_folds(data, count=3):
    return HeldOut.in_folds(np.arange(len(data[1])) % count)


@pytest.fixture
def passes(monkeypatch):
    """How many heads each pass over the data evaluates."""
    seen, evaluate = [], engine.objective_and_gradient

    def watched(X, y, W, *arguments, **options):
        seen.append(W.shape[-1])
        return evaluate(X, y, W, *arguments, **options)

    monkeypatch.setattr(engine, "objective_and_gradient", watched)
    return seen


@pytest.mark.sampled(5)
@pytest.mark.parametrize("case", ["held out", "folds", "squared hinge", "few rows", "cut"])
def test_interrupted_work_solves_no_finished_fit_again_and_goes_on_with_the_others(case, passes, tmp_path):
    data = draw(60, 200) if case == "few rows" else draw()
    held_out = in_folds(data) if case == "folds" else HeldOut.after(len(data[1]) * 3 // 4)
    loss = "squared_hinge" if case == "squared hinge" else "softmax"
    room = solve_bytes((len(data[1]), data[0].shape[1]), 3, 6, 8)
    resources = Resources(memory=room[0] + 2 * room[1]) if case == "cut" else Resources()
    told = []
    whole = run(data, held_out, loss, resources=resources, progress=lambda *call: told.append(call))
    needed, calls = sum(passes), len(told)
    assert told[-1][:2] == (len(whole.stopped) * len(held_out),) * 2
    assert len(whole.plan.stacks) == (3 if case == "cut" else 1)
    for at in (2, calls // 2, calls - 3):
        passes.clear()
        calls_now = 0

        def interrupt(*_, at=at):
            nonlocal calls_now
            calls_now += 1
            if calls_now == at:
                raise Interrupted

        path = tmp_path / f"{at}"
        with pytest.raises(Interrupted):
            run(data, held_out, loss, resources=resources, checkpoint=Checkpoint(path, {}, every=0), progress=interrupt)
        spent = sum(passes)
        state = Checkpoint(path, {}).load()
        assert state is not None
        done = np.flatnonzero(state["run"]["stopped"] == "gap")
        passes.clear()
        found = run(data, held_out, loss, resources=resources, checkpoint=Checkpoint(path, {}, every=0))
        # But for a look at where each one stands, and what the memory of the steps before would have saved; on the way
        # from strong penalties to weak ones, the one that was being solved begins anew.
        saved = state["run"]["iterations"][done].sum() if case == "squared hinge" else spent
        assert sum(passes) <= 1.25 * (needed - saved) + 3 * len(state["run"]["stopped"])
        assert max(passes) <= len(state["run"]["stopped"]) - len(done)
        assert (found.stopped == "gap").all()
        np.testing.assert_allclose(found.objective, whole.objective, rtol=2 * TOLERANCE)
        np.testing.assert_allclose(found.score, whole.score, atol=1.5 / 60)
        kept = state["run"]["objective"][done]
        assert found.fits.objective.ravel()[done].tobytes() == kept.tobytes()
    passes.clear()
    again = run(data, held_out, loss, resources=resources, checkpoint=Checkpoint(path, {}))
    assert passes == []  # all of it was kept at the end
    assert again.fits.objective.tobytes() == found.fits.objective.tobytes()
    assert (again.best, again.W.tobytes()) == (found.best, found.W.tobytes())


def test_what_is_kept_is_said_in_fits(tmp_path):
    checkpoint = Checkpoint(tmp_path / "c", {}, every=0)
    run(draw(), HeldOut.after(180), checkpoint=checkpoint)
    assert checkpoint.kept == "6 of 6 fits"


def test_the_weights_are_those_of_the_best_on_the_rows_that_train():
    X, y = draw()
    found = run((X, y), HeldOut.after(180))
    best, reg = found.best, REGS[[found.best]]
    truth = solve(X[:180], y[:180], REGS, classes=3)
    assert found.W.tobytes() == truth.W[..., best].tobytes()
    proof = certify(X[:180], y[:180], found.W[..., None], found.b[:, None], reg, "softmax")
    assert proof.gap[0] <= 2 * TOLERANCE * proof.objective[0]
    assert found.score[best] == np.mean(np.argmax(X[180:] @ found.W + found.b, axis=1) == y[180:])


def test_folds_are_one_fit_after_another():
    X, y = draw(150)
    fold = np.arange(150) % 4  # of 38 and 37
    found = run((X, y), HeldOut.in_folds(fold))
    for number in range(4):
        seen = fold != number
        rows = np.argsort(~seen, kind="stable")
        alone = run((X[rows], y[rows]), HeldOut.after(int(seen.sum())))
        np.testing.assert_allclose(found.fits.objective[:, number], alone.objective, rtol=2 * TOLERANCE)
        for name in ("scores", "losses"):
            np.testing.assert_allclose(getattr(found, name)[:, number], getattr(alone, name)[:, 0], atol=2e-3)
        assert found.fits.scores is not None
        np.testing.assert_allclose(found.fits.scores[:, number], alone.train_score, atol=1 / 110)


def test_trials_are_drawn_for_the_exact_solver_too():
    trials = Trials(Path(Axis(np.array([1e-5, 10.0]), ranged=True, log=True)), 7)
    found = run(draw(), HeldOut.after(180), space=trials)
    assert found.drawn
    assert len(set(found.settings["reg"].tolist())) == 7
    assert found.settings["reg"].tolist() == trials.values(0)["reg"].tolist()
    assert 1e-5 <= found.settings["reg"].min() <= found.settings["reg"].max() <= 10


def test_settings_that_no_optimum_depends_on_are_refused_before_any_work(monkeypatch):
    monkeypatch.setattr(comparing, "_Found", None)
    with pytest.raises(IncompatibleError, match=r"^the exact solver has no learning rate: .*, or use SGD$"):
        run(draw(), HeldOut.after(180), space=Grid(np.array([0.1]), REGS))


def test_screening_solves_on_the_leading_directions_and_the_best_few_again_in_full():
    X, y = draw(300, 40, 3)
    X[:, 20:] *= 1e-3  # all that matters is in twenty directions
    full = run((X, y), HeldOut.after(240))
    found, screening = screen(
        *(X, y, Path(REGS), HeldOut.after(240), Exact()), classes=3, rank=20, keep=2, control=Control()
    )
    assert screening.residual < 1e-5
    assert screening.kept.tolist() == np.lexsort((full.loss, -full.score))[:2].tolist()
    np.testing.assert_allclose(screening.result.objective, full.objective, rtol=1e-3)
    assert found.settings["reg"][found.best] == REGS[full.best]
    assert found.W.shape == (40, 3)
