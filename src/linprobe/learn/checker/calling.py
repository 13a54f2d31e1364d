"""How a function wants to be called, what it is meant to be, and what is wrong where it gives no answer."""

import numpy as np

from linprobe.core.backend import LIBRARIES
from linprobe.learn.checker.cases import CASES, Case
from linprobe.learn.checker.codes import fault
from linprobe.learn.checker.outcome import Caller, Crash, Outcome
from linprobe.learn.checker.sandbox.shims import FORGOTTEN
from linprobe.learn.checker.trial import Given, Trial, left_out
from linprobe.learn.checker.verdict import Fault, Loss

__all__ = ["ENDS", "arrange", "first_case", "named_loss", "no_answer", "of_crash", "of_outcome", "place"]

ENDS = {"timeout", "memory", "exit", "signal", "SystemExit"}  # trying another layout would end the same way

# What PyTorch, and an array of NumPy's, say where somebody asks for a GPU.
NO_GPU = ("'cuda'", "CUDA enabled", "CUDA GPUs", "NVIDIA driver")


def first_case() -> Case:
    """The one that everything begins with."""
    return CASES["ordinary"]


def named_loss(name: str) -> Loss | None:
    """The loss that a function's name speaks of."""
    words: dict[str, Loss] = {"softmax": "softmax", "cross": "softmax", "svm": "hinge", "hinge": "hinge"}
    return next((loss for word, loss in words.items() if word in name.lower()), None)


def arrange(caller: Caller, loss: Loss) -> tuple[Trial, Outcome]:
    """The layout and the library with which it gives an answer, and that answer; or the failure that tells most."""
    tried: list[tuple[Trial, Outcome]] = []
    for library in caller.libraries:
        # Tensors that somebody makes are float32 unless told otherwise, and do not mix with others.
        for dtype in (np.float64,) if library == "numpy" else (np.float64, np.float32):
            for layout in ("DC", "CD"):
                trial = Trial(caller, loss, layout, library, dtype=dtype)
                outcome = trial.call(first_case())
                trial.missing = left_out(outcome)
                if trial.read(first_case(), outcome) is not None:
                    return trial, outcome
                tried.append((trial, outcome))
                if outcome.crash is not None and outcome.crash.kind in ENDS:
                    return tried[-1]
    returned = [one for one in tried if one[1].crash is None]
    # Of several errors the one that came last in the code: those of a wrong layout come early.
    return returned[0] if returned else max(tried, key=lambda one: _reached(one[1]))


def _reached(outcome: Outcome) -> int:
    return 0 if outcome.crash is None else outcome.crash.line or 0


def no_answer(trial: Trial, outcome: Outcome) -> Fault:
    """What is wrong with a call that gave no loss and dW of the right shapes."""
    crash = outcome.crash
    at_home = None if crash is not None and crash.kind in ENDS else _at_the_exercise(trial)
    if at_home is not None:
        hint = "it is right at 500 x 3,073 x 10 only" if crash is None else f"elsewhere it raises {crash.words}"
        return fault("hard_coded_size", place(crash), hint=hint)
    return of_outcome(trial, outcome, first_case())


def of_outcome(trial: Trial, outcome: Outcome, case: Case) -> Fault:
    """What is wrong with a call that gave no number and array shaped like W."""
    if outcome.crash is not None:
        return of_crash(outcome.crash, case)
    where = {"case": str(case)}
    loss, gradient = outcome.loss, outcome.gradient
    nothing = left_out(outcome) & trial.missing
    if "None" in outcome.returned and case is first_case() and not nothing:
        return fault("unfinished", where, found=f"It returns {outcome.returned}")
    loss = np.zeros(()) if "loss" in nothing else loss
    gradient = np.zeros(case.arguments(trial.layout)[0].shape) if "gradient" in nothing else gradient
    if loss is None or gradient is None:
        return fault("returns_no_pair", where, found=outcome.returned or "something that holds no numbers")
    if np.iscomplexobj(loss) or np.iscomplexobj(gradient):
        return fault("gradient_type", where, found="complex numbers")
    W, *_ = case.arguments(trial.layout)
    if loss.shape == W.shape and gradient.size == 1:
        return fault("returns_no_pair", where, found="them in the other order")
    if loss.size != 1:
        return fault("loss_not_scalar", where, found=f"an array of shape {loss.shape}")
    return fault("gradient_shape", where, found=f"of shape {gradient.shape}", expected=str(W.shape))


def _at_the_exercise(trial: Trial) -> Given | None:
    """The answer at the exercise's own size where it is right, in either layout."""
    exercise = CASES["exercise"]
    for layout in ("DC", "CD"):
        elsewhere = Trial(trial.caller, trial.loss, layout, trial.library)
        given = elsewhere.ask(exercise)
        if given is not None and elsewhere.right(given):
            return given
    return None


def of_crash(crash: Crash, case: Case | None = None) -> Fault:
    """The fault of a call that ended without an answer, or of an import."""
    error = crash.words
    where = {**({} if case is None else {"case": str(case)}), **place(crash)}
    if crash.kind == "PermissionError":
        error += "; it may not read other files, write outside its own folder, start processes or use the network"
    if crash.kind == "ModuleNotFoundError":
        error += "; what lies beside the file is not there when it runs"
    if any(word in crash.message for word in NO_GPU):
        return fault("needs_gpu", where)
    match crash.kind:
        case "timeout":
            return fault("hangs", where, seconds=float(crash.message or 0), examples=0 if case is None else len(case.y))
        case "memory":
            return fault("out_of_memory", where)
        case "SystemExit" | "exit":
            return fault("exits", where, error=f"“{crash.message}”" if crash.message else "sys.exit()")
        case "signal":
            return fault("killed", where, error=crash.message)
        case "NameError" | "UnboundLocalError":
            name = crash.message.partition("'")[2].partition("'")[0]
            if name.isidentifier():
                imported = crash.kind == "NameError" and name in {*FORGOTTEN, *LIBRARIES}
                return fault("missing_import" if imported else "undefined_name", where, name=name)
        case "NotImplementedError":
            return fault("unfinished", where, found="It raises NotImplementedError")
    return fault("raises", where, error=error if crash.line is None else f"{error}, in line {crash.line}")


def place(crash: Crash | None) -> dict[str, int | str]:
    """Where in its own file."""
    if crash is None or crash.line is None:
        return {}
    return {"line": crash.line, "text": crash.text or ""}
