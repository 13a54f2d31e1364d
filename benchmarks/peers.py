"""Time the worksheet's grid as other libraries would train it, one setting at a time, and as one stack.

    python benchmarks/peers.py ../shared/data/cifar10

Each is run in a process of its own: every library brings its own pool of threads, and two pools fight for the cores.
All see float32 rows but the worksheet's loop, all use all cores, and all are evaluated on the rows of train and val.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec

import loop
import machine
from linprobe.compare.compare import compare
from linprobe.compare.descent import heads_of
from linprobe.core.backend import move
from linprobe.core.sgd.batches import Batches
from linprobe.core.sgd.settings import Training
from linprobe.errors import require
from task import Task, open_task, parser


def main() -> None:
    """Print the table, or, in one of the processes, what it measured as JSON."""
    arguments = parser(__doc__)
    arguments.add_argument("--heads-measured", type=int, default=3, help="settings that each peer is timed on")
    arguments.add_argument("--peer", choices=PEERS, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.peer:
        print(json.dumps(measure_peer(options)))
        return
    print(machine.describe())
    task = open_task(options)
    settings = len(task.space())
    epochs = one_versus_rest_epochs(task)
    print(
        f"{task.describe()}; {settings} settings\n\n"
        f"Evaluation on train and val included. One setting at a time: the median of "
        f"{min(options.heads_measured, settings)}, scaled to {settings}.\n"
        f"scikit-learn trains one-versus-rest, on one example after the other in {epochs} epochs.\n"
        "Accuracy is on val, the mean of the measured settings.\n"
    )
    del task  # the processes below have their own
    machine.print_row("", "s a setting", "s the grid", "x ours", "accuracy")
    ours = None
    for name, (label, module, _) in PEERS.items():
        if module is not None and find_spec(module) is None:
            machine.print_row(label, "not installed")
            continue
        found = run_peer(name)
        ours = ours or found["grid"]
        machine.print_row(
            f"{label} ({found['version']})" if found["version"] else label,
            f"{found['grid'] / settings:.3f}",
            f"{found['grid']:.1f}",
            f"{found['grid'] / ours:.1f}",
            f"{found['accuracy']:.3f}",
        )


def run_peer(name: str) -> dict:
    """What a peer measured, in a process with the same arguments."""
    command = [sys.executable, __file__, *sys.argv[1:], "--peer", name]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def measure_peer(options: argparse.Namespace) -> dict:
    """Seconds of the whole grid, mean accuracy of the measured settings on val, version of the library."""
    task = open_task(options)
    heads = heads_of(task.space(), task.training.seed)
    _, module, make = PEERS[options.peer]
    # What a library does at its first call is no part of the time of a setting.
    short = replace(task.first(1_000, task.train.X.shape[1]), training=Training(iterations=2))
    if make is None:
        compare(*short.posed, classes=short.classes)
        found, grid = machine.timed(lambda: compare(*task.posed, classes=task.classes))
        accuracies = found.score[loop.measured_heads(heads, options.heads_measured)].tolist()
    else:
        loop.measure(make(short), heads, 1)
        seconds, accuracies = loop.measure(make(task), heads, options.heads_measured)
        grid = seconds * len(heads)
    version = require(module, module).__version__ if module else ""
    return {"grid": grid, "accuracy": statistics.mean(accuracies), "version": version}


def one_versus_rest_epochs(task: Task) -> int:
    """As many passes through the training rows as the steps draw examples."""
    return max(1, round(task.training.iterations * task.batch_size / len(task.train)))


def scikit_learn(task: Task) -> Callable[[float, float], float]:
    """SGDClassifier, one binary problem per class; its penalty is half of alpha times the sum of squares."""
    from sklearn.linear_model import SGDClassifier

    def one(learning_rate: float, reg: float) -> float:
        model = SGDClassifier(
            loss="log_loss",
            alpha=2 * reg,
            learning_rate="constant",
            eta0=learning_rate,
            max_iter=one_versus_rest_epochs(task),
            tol=None,  # type: ignore[arg-type]  (as documented: all epochs)
            n_jobs=-1,
            random_state=0,
        ).fit(task.train.X, task.train.y)
        model.score(task.train.X, task.train.y)
        return float(model.score(task.val.X, task.val.y))

    return one


def pytorch(task: Task) -> Callable[[float, float], float]:
    """A linear layer and SGD, as its tutorials write it, on the batches that the stack sees; the bias is penalized."""
    torch = require("torch", "torch")
    X, y, X_val, y_val = (move(part, "cpu") for part in (task.train.X, task.train.y, task.val.X, task.val.y))

    def accuracy(layer: Callable, X: object, y: object) -> float:
        with torch.no_grad():
            return (layer(X).argmax(dim=1) == y).double().mean().item()

    def one(learning_rate: float, reg: float) -> float:
        torch.manual_seed(0)
        layer = torch.nn.Linear(X.shape[1], task.classes)
        for parameter in layer.parameters():
            torch.nn.init.normal_(parameter, std=0.001)
        optimizer = torch.optim.SGD(layer.parameters(), lr=learning_rate, weight_decay=2 * reg)
        batches = Batches(len(X), task.batch_size, task.training.seed, replacement=True)
        for _ in range(task.training.iterations):
            rows = torch.from_numpy(batches.draw())
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(layer(X[rows]), y[rows]).backward()
            optimizer.step()
        accuracy(layer, X, y)
        return accuracy(layer, X_val, y_val)

    return one


# The label, the module that is needed, and what makes a function of one setting; the stack first, as the others are
# compared with it.
PEERS: dict[str, tuple[str, str | None, Callable[[Task], Callable[[float, float], float]] | None]] = {
    "stack": ("ours, as one stack, float32", None, None),
    "torch": ("PyTorch, one at a time, float32", "torch", pytorch),
    "loop": ("the worksheet's loop, float64", None, loop.setting_by_setting),
    "sklearn": ("scikit-learn SGDClassifier", "sklearn", scikit_learn),
}


if __name__ == "__main__":
    main()
