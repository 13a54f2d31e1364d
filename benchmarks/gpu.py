"""Time the worksheet's grid on a CUDA device: as a stack, one head at a time in PyTorch, and its bare products.

    python benchmarks/gpu.py ../shared/data/cifar10      # the worksheet's grid on the real data
    python benchmarks/gpu.py                             # the same shapes, made up on the device
    python benchmarks/gpu.py --path                      # instead: a certified path, 1,281,167 x 1,024, 1,000 classes
    python benchmarks/gpu.py --device cpu --rows 500 --features 64 --iterations 20      # does it run at all?

All in one run, on one machine, so that the ratios mean something where the seconds do not.
"""

import argparse
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np

import gpu_path
import machine
from linprobe import open_dataset
from linprobe.core.backend import Precision, Products, move
from linprobe.core.measure import score_stack
from linprobe.core.sgd.settings import Data, Heads, Training
from linprobe.core.sgd.training import StackRun
from linprobe.data.prepare import fit_preparation
from linprobe.data.splits import make_splits
from linprobe.errors import MissingDependencyError, require

GRID = {"rows": 49_000, "features": 3_072, "heads": 100}
PATH = {"rows": 1_281_167, "features": 1_024, "heads": 45}
HEADS_MEASURED = 3
# TF32, whose factors have 11 bits, is torch's own setting, and a user's to choose.
PRECISIONS: tuple[tuple[str, Precision, str], ...] = (
    ("float32", "float32", "highest"),
    ("float32, products in TF32", "float32", "high"),
    ("bfloat16", "bfloat16", "highest"),
)
RATES, REGS = (1e-7, 5e-7), (2.5e4, 5e4)  # the worksheet's grid, for raw, centred pixels


def main() -> None:
    """Print the table, or one line where there is nothing to measure on."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("source", nargs="?", help="real data instead of made-up numbers of its shape")
    arguments.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    arguments.add_argument("--path", action="store_true", help="time a certified path of λ instead of the grid")
    arguments.add_argument("--rows", type=int, help="49,000; of the path 1,281,167")
    arguments.add_argument("--features", type=int, help="3,072; of the path 1,024")
    arguments.add_argument("--heads", type=int, help="100; of the path 45")
    arguments.add_argument("--iterations", type=int, default=1500, help="of the grid")
    arguments.add_argument("--batch-size", type=int, default=200, help="of the grid")
    arguments.add_argument("--repeat", type=int, default=3, help="of the grid")
    arguments.add_argument("--classes", type=int, default=1000, help="of the path")
    arguments.add_argument("--tf32", action="store_true", help="let torch round the path's float32 products to TF32")
    arguments.add_argument("--max-iter", type=int, default=1000, help="of the path: passes over the data, at most")
    options = arguments.parse_args()
    for name, size in (PATH if options.path else GRID).items():
        if getattr(options, name) is None:
            setattr(options, name, size)
    try:
        torch = require("torch", "torch")
    except MissingDependencyError as error:
        print(f"nothing measured: {error}")
        return
    if options.device == "cuda" and not torch.cuda.is_available():
        print("nothing measured: torch finds no CUDA device here; --device cpu shows that the benchmark runs")
        return
    clock = _Clock(torch, options.device)
    print(clock.describe())
    if options.path:
        gpu_path.measure(torch, clock, options)
        return

    X, y, classes, name = load(torch, options)
    heads = make_heads(options.heads, options.batch_size)
    print(
        f"{name}: {len(X):,} training rows of {X.shape[1]:,} features, {classes} classes; "
        f"{len(heads)} settings, {options.iterations:,} steps of {options.batch_size}\n"
    )
    one_head = statistics.mean(
        clock.seconds(lambda h=head: train_one(torch, X, y, classes, heads.take(np.array([h])), options.iterations))
        for head in np.linspace(0, len(heads) - 1, min(HEADS_MEASURED, len(heads))).astype(int)
    )
    training = Training(iterations=options.iterations)
    line = f"PyTorch, {min(HEADS_MEASURED, len(heads))} heads measured and scaled to {len(heads)}"
    print(f"{line:56}{one_head * len(heads):10.3f} s")
    for label, precision, matmul in PRECISIONS:
        clock.forget_peak()
        products = Products(options.device, precision)
        torch.set_float32_matmul_precision(matmul)

        def stack(products: Products = products) -> Any:
            return StackRun(Data(X, y, classes), heads, training, products=products).finish()

        cold, warm = clock.seconds(stack), [clock.seconds(stack) for _ in range(options.repeat)]
        peak = clock.peak()
        solution = stack()
        evaluation = clock.seconds(lambda s=solution: score_stack(X, y, s.W, s.b, "softmax"))
        accuracy = score_stack(X, y, solution.W, solution.b, "softmax").accuracy
        floor = bare_products(torch, clock, X, options, products, classes * len(heads))
        seconds = statistics.median(warm)
        print(f"\n{label}")
        for what, value in (
            ("as one stack, the first time", f"{cold:10.3f} s"),
            (f"as one stack, warm (median of {options.repeat})", f"{seconds:10.3f} s"),
            ("  of it, per step", f"{seconds / options.iterations * 1e6:10.1f} µs"),
            ("evaluation of all heads on the training rows", f"{evaluation:10.3f} s"),
            ("bare products of the steps", f"{floor:10.3f} s"),
            ("stack takes, of its bare products", f"{seconds / floor:10.2f} x"),
            ("stack is faster than one head at a time by", f"{one_head * len(heads) / seconds:10.1f} x"),
            ("peak memory on the device, data included", peak),
            ("best training accuracy", f"{np.nanmax(accuracy):10.3f}"),
        ):
            print(f"{what:56}{value}")


def load(torch: Any, options: argparse.Namespace) -> tuple[Any, Any, int, str]:
    """X (n, D) float32 and y (n,) on the device, the number of classes, and what they are."""
    if options.source is not None:
        dataset = open_dataset(options.source)
        train = make_splits(dataset).train
        rows = fit_preparation(train.X).apply(train.X)
        return move(rows, options.device), move(train.y, options.device), len(dataset.classes), dataset.name
    generator = torch.Generator(options.device).manual_seed(0)
    like = {"generator": generator, "device": options.device}
    y = torch.randint(10, (options.rows,), **like)
    # Like centred pixels: of their size, and with classes that overlap.
    centres = 10 * torch.randn(10, options.features, **like)
    X = torch.randn(options.rows, options.features, **like).mul_(60).add_(centres[y])
    return X, y, 10, "made up on the device"


def make_heads(count: int, batch_size: int) -> Heads:
    """As many settings as asked for, spread over the grid."""
    side = int(np.ceil(np.sqrt(count)))
    rate, reg = np.meshgrid(np.linspace(*RATES, side), np.linspace(*REGS, side), indexing="ij")
    return Heads.of(rate.ravel()[:count], reg.ravel()[:count], batch_size=batch_size)


def train_one(torch: Any, X: Any, y: Any, classes: int, head: Heads, iterations: int) -> Any:
    """One head the usual way in PyTorch: its optimiser, its loss, batches drawn on the device."""
    weights = 0.001 * np.random.default_rng(0).standard_normal((X.shape[1] + 1, classes)).astype(np.float32)
    W = move(weights[:-1].copy(), X.device.type).requires_grad_()
    b = move(weights[-1].copy(), X.device.type).requires_grad_()
    # Torch halves its penalty.
    optimizer = torch.optim.SGD([W, b], lr=float(head.learning_rate[0]), weight_decay=2 * float(head.reg[0]))
    for _ in range(iterations):
        rows = torch.randint(len(X), (int(head.batch_size[0]),), device=X.device)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(X[rows] @ W + b, y[rows]).backward()
        optimizer.step()
    return W


def bare_products(
    torch: Any, clock: "_Clock", X: Any, options: argparse.Namespace, products: Products, columns: int
) -> float:
    """Seconds of the two products of every step and nothing else, on factors that are already in their precision."""
    kind = torch.bfloat16 if products.rounded else torch.float32
    batch = X[: options.batch_size].to(kind)
    V = torch.zeros(X.shape[1], columns, dtype=kind, device=X.device)
    slope = torch.zeros(len(batch), columns, dtype=kind, device=X.device)

    def steps() -> None:
        for _ in range(options.iterations):
            torch.mm(batch, V, out=slope)
            V.addmm_(batch.T, slope, alpha=-1e-9)

    clock.seconds(steps)
    return statistics.median(clock.device_seconds(steps) for _ in range(options.repeat))


class _Clock:
    """Seconds and memory of a device, or of the CPU that stands in for it."""

    def __init__(self, torch: Any, device: str) -> None:
        self.torch = torch
        self.cuda: Any = torch.cuda if device == "cuda" else None

    def describe(self) -> str:
        """The device, its driver and the versions, in one line."""
        if self.cuda is None:
            return f"{machine.describe()}; PyTorch {self.torch.__version__} on the CPU"
        properties = self.cuda.get_device_properties(0)
        return (
            f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB, driver {self._driver()}; "
            f"PyTorch {self.torch.__version__}, CUDA {self.torch.version.cuda}; {machine.describe()}"
        )

    def seconds(self, work: Callable[[], Any]) -> float:
        """How long the work takes for whoever waits for it, until the device has done all of it."""
        if self.cuda is None:
            return machine.timed(work)[1]
        self.cuda.synchronize()

        def all_of_it() -> None:
            work()
            self.cuda.synchronize()

        return machine.timed(all_of_it)[1]

    def device_seconds(self, work: Callable[[], Any]) -> float:
        """How long the device is at work, by its own events; the host must be able to keep ahead of it."""
        if self.cuda is None:
            return machine.timed(work)[1]
        self.cuda.synchronize()
        start, end = (self.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        work()
        end.record()
        self.cuda.synchronize()
        return start.elapsed_time(end) / 1000

    def forget_peak(self) -> None:
        """Count the peak memory from here."""
        if self.cuda is not None:
            self.cuda.reset_peak_memory_stats()

    def peak(self) -> str:
        """The most memory that was held at once."""
        held = machine.peak_memory() if self.cuda is None else self.cuda.max_memory_reserved() / 2**30
        return f"{held:10.2f} GiB"

    def _driver(self) -> str:
        import subprocess

        query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        try:
            return subprocess.run(query, capture_output=True, text=True, check=True).stdout.split("\n")[0]
        except (OSError, subprocess.CalledProcessError):
            return "unknown"


if __name__ == "__main__":
    main()
