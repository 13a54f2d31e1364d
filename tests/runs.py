"""Small runs of every kind, for the tests of the page that they get."""

import functools
import json
from dataclasses import replace

import numpy as np

from linprobe import open_dataset
from linprobe.compare.settings import parse_axis
from linprobe.core.sgd.settings import Training
from linprobe.data.dataset import Dataset, Examples
from linprobe.data.prepare import Preparation
from linprobe.learn.worksheet import WorksheetOptions, WorksheetResult, run_worksheet
from linprobe.model import Model, Provenance
from linprobe.model.evidence import Evidence, Mistakes, Reliability
from linprobe.report.run import Run
from linprobe.results import Accuracy, Results, of_json, to_json
from linprobe.tasks.tune import Options, tune

VERSIONS = {"linprobe": "0.0.0", "numpy": "2.0.0"}
RATES, REGS = "1e-4:1e-3:3:log", "0.01:1:3:log"

HOSTILE = (
    "</script><img src=x onerror=alert(1)>",
    "<b>bold</b> & \"quotes\" 'both' `ticks` ${code} {{ 7 * 7 }} %{x}",
    "שלום עולם",
    "\u202eright to left override",
    "",
    "   ",
    "👩‍👩‍👧‍👦 family",
    "a" * 5000,
    "word " * 400,
    "Z̴̡̢̛̛̛͈̪̰̲̟̜̩̮̟̜̲̹͇͍͙a̵l̷g̶o̸" * 3,
    "line\nbreak\ttab\x00null\x1b[31m",
    "--accent",
    "__proto__",
    "<script>alert(1)</script>",
    "javascript:alert(1)",
    "\ud800 lone surrogate",
)


@functools.cache
def result_of(kind):
    """What a worksheet or a tuning of a few steps returns."""
    digits = open_dataset("digits")

    def worksheet(loss="softmax", rates=RATES, regs=REGS, iterations=40, **more):
        axes = parse_axis(rates, "--learning-rate"), parse_axis(regs, "--reg")
        return run_worksheet(digits, WorksheetOptions(Training(loss, iterations), *axes, **more))

    def path(dataset=digits, **more):
        return tune(dataset, Options(regs=parse_axis("0.1:100:3:log", "--reg"), tol=1e-3, **more))

    match kind:
        case "worksheet":
            return worksheet()
        case "hinge":
            return worksheet("hinge", rates="1e-4,1e30")
        case "screening":
            return worksheet(screen=8)
        case "trials":
            return worksheet(trials=9)
        case "momentum":
            return worksheet(momenta=np.array([0.0, 0.9]), batch_sizes=np.array([50, 200]))
        case "one setting":
            return worksheet(rates="1e-3", regs="0.1")
        case "one example":
            return worksheet(val=1, test=1, dev=1)
        case "tune":
            return path()
        case "folds":
            return path(folds=3)
        case "sgd":
            options = Options(
                "sgd", "hinge", parse_axis("0.01,0.1", "--reg"), parse_axis("1e-3,1e30", "--learning-rate")
            )
            return tune(digits, options)
        case "features":
            return path(embeddings())
    raise ValueError(kind)


KINDS = (
    *("worksheet", "hinge", "screening", "trials", "momentum", "one setting", "one example"),
    *("tune", "folds", "sgd", "features"),
)


def embeddings():
    rng = np.random.default_rng(0)
    y = np.arange(300) % 4
    X = rng.standard_normal((300, 12)).astype(np.float32) + 0.7 * np.eye(4, 12, dtype=np.float32)[y]
    return Dataset("embeddings", Examples(X, y), None, ("north", "east", "south", "west"))


@functools.cache
def run_of(kind):
    """The same as `read_run` gives it, without a folder and without its pictures."""
    result = result_of(kind)
    worksheet = isinstance(result, WorksheetResult)
    command = "linprobe worksheet digits" if worksheet else "linprobe tune digits"
    numbers = replace(result.numbers, command=command, versions=VERSIONS)
    found = result.search if worksheet else result.found
    steps, curves = found.curves.steps, found.curves.objective.astype(np.float32)
    return Run(of_json(Results, json.loads(numbers.text)), result.classifier, result.evidence, steps, curves)


def made_up(K=10, shape=(8, 8, 1), grid=(3, 3), classes=None, trials=None):
    """A run of noise with so many classes, pixels and settings, as a worksheet with softmax leaves it."""
    rng, mistakes, records = np.random.default_rng(0), 24, 101
    classes = tuple(classes or (f"class number {k}" for k in range(K)))
    K, D = len(classes), int(np.prod(shape))
    counts = rng.multinomial(40 * K, rng.dirichlet(np.full(K * K, 0.05))).reshape(K, K) + 3 * np.eye(K, dtype=int)
    X = rng.integers(0, 256, (mistakes, *shape), dtype=np.uint8) if len(shape) == 3 else rng.random((mistakes, *shape))
    evidence = Evidence(
        counts,
        Reliability(np.full(10, 5), np.linspace(0.05, 0.95, 10), np.linspace(0.2, 1, 10)),
        Mistakes(X, np.arange(mistakes) % K, (np.arange(mistakes) + 1) % K, np.linspace(1, 0.5, mistakes)),
    )
    rates, regs = np.geomspace(1e-7, 1e-1, grid[0]), np.geomspace(1e-3, 1e5, grid[1])
    rows = [
        {
            "learning_rate": float(rate),
            "reg": float(reg),
            "momentum": 0.0,
            "batch_size": 200,
            "train_accuracy": rng.random(),
            "val_accuracy": round(rng.random(), 3),
            "val_loss": rng.random(),
            "objective": float(np.exp(9 * rng.random())),
            "status": "max_iter",
        }
        for rate in rates
        for reg in regs
    ]
    for row in rows[:: max(2, len(rows) // 7)]:
        row |= dict.fromkeys(("train_accuracy", "val_accuracy", "val_loss", "objective")) | {"status": "diverged"}
    best = max(rows, key=lambda row: (row["val_accuracy"] or 0, -(row["val_loss"] or 9)))
    axes = {"learning_rate": rates.tolist(), "reg": regs.tolist(), "momentum": [0.0], "batch_size": [200.0]}
    model = Model(
        rng.standard_normal((D, K), dtype=np.float32),
        np.zeros(K, np.float32),
        classes,
        Preparation(np.zeros(D, np.float32), tuple(shape)),
        Provenance(loss="softmax", seed=0),
    )
    numbers = {
        "command": "linprobe worksheet somewhere",
        "versions": VERSIONS,
        "options": model.provenance.tell(),
        "data": {
            "source": classes[0],
            "fingerprint": "sha256:0",
            "classes": list(classes),
            "features": D,
            "train": 900,
            "val": 200,
            "test": int(counts.sum()),
            "dev": 10,
        },
        "grid": {
            "settings": len(rows),
            "axes": axes,
            "trials": trials,
            "seconds": 1.0,
            "best": best,
            "edges": ["reg"],
            "rows": rows,
        },
        "test": to_json(Accuracy.of(int(np.trace(counts)), int(counts.sum()))),
    }
    steps = np.arange(records) * 15
    curves = np.exp(rng.standard_normal((records, len(rows)))).astype(np.float32)
    return Run(of_json(Results, numbers), model, evidence, steps, curves)
