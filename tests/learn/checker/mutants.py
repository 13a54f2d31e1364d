"""One-line mutants of the corpus's right functions: how many wrong ones the checker calls right, or cannot name.

`python tests/learn/checker/mutants.py --count 300 --seed 0` prints the share without a name and lists them. Whether a
mutant is wrong is decided here, by plain loops on batches of its own; the checker sees the mutant's text as it would a
file's.
"""

# ruff: noqa: T201
import argparse
import ast
import collections
import contextlib
import copy
import inspect
import io
import linecache
import textwrap
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import corpus.everything  # noqa: F401  # pyright: ignore[reportMissingImports, reportUnusedImport]
import numpy as np
from corpus.registry import ENTRIES, Entry  # pyright: ignore[reportMissingImports]

from linprobe.learn.checker import Verdict, check_loss
from linprobe.learn.loops import LOOPS

UNNAMED = {"wrong_value", "wrong_gradient", "penalty_wrong"}
LIBRARIES = ("torch", "jax", "autograd", "scipy")


@dataclass(frozen=True)
class Mutant:
    """A function with one line changed: how, in which line, and as what."""

    entry: Entry
    how: str
    line: int
    text: str
    function: Callable

    def __str__(self) -> str:
        changed = self.text.splitlines()[self.line - 1].strip()
        return f"{self.entry.loss} {self.entry.name}: {self.how}, line {self.line}: {changed}"


def _indices(tree: ast.AST) -> list[ast.expr]:
    """What the function uses as an index anywhere."""
    slices = [node.slice for node in ast.walk(tree) if isinstance(node, ast.Subscript)]
    parts = [part for one in slices for part in (one.elts if isinstance(one, ast.Tuple) else [one])]
    return [one for one in parts if not isinstance(one, ast.Slice | ast.Constant)]


def _index(node: ast.AST, tree: ast.AST) -> Iterator[ast.AST]:
    if not isinstance(node, ast.Subscript):
        return
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    for k, part in enumerate(parts):
        for other in _indices(tree) if not isinstance(part, ast.Slice | ast.Constant) else ():
            if ast.dump(other) != ast.dump(part):
                changed = copy.deepcopy(node)
                if isinstance(changed.slice, ast.Tuple):
                    changed.slice.elts[k] = copy.deepcopy(other)
                else:
                    changed.slice = copy.deepcopy(other)
                yield changed


def _operator(node: ast.AST, _: ast.AST) -> Iterator[ast.AST]:
    others = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in others:
        changed = copy.deepcopy(node)
        changed.op = others[type(node.op)]()
        yield changed


def _assignment(node: ast.AST, _: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.AugAssign):
        yield ast.copy_location(ast.Assign([copy.deepcopy(node.target)], copy.deepcopy(node.value)), node)


def _comparison(node: ast.AST, _: ast.AST) -> Iterator[ast.AST]:
    others = {ast.Gt: (ast.Lt, ast.GtE), ast.Lt: (ast.Gt,), ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,)}
    if not isinstance(node, ast.Compare):
        return
    for other in others.get(type(node.ops[0]), ()):
        changed = copy.deepcopy(node)
        changed.ops = [other()]
        yield changed


def _number(node: ast.AST, _: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        for value in (node.value + 1, 0, node.value / 2, -node.value):
            if value != node.value:
                yield ast.Constant(value)


def _sign(node: ast.AST, _: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield copy.deepcopy(node.operand)
    if isinstance(node, ast.Call):
        yield ast.UnaryOp(ast.USub(), copy.deepcopy(node))


def _left_out(node: ast.AST, _: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.BinOp):
        yield copy.deepcopy(node.left)
        yield copy.deepcopy(node.right)
    if isinstance(node, ast.Call) and node.args and not isinstance(node.args[0], ast.Starred):
        yield copy.deepcopy(node.args[0])


def _statement(node: ast.AST, _: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.AugAssign | ast.Assign):
        yield ast.Pass()
    if isinstance(node, ast.Continue):
        yield ast.Break()


def _name(node: ast.AST, tree: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        stored = {one.id for one in ast.walk(tree) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
        for name in sorted(stored) if node.id in stored else ():
            if name != node.id:
                yield ast.Name(name, ast.Load())


def _function(node: ast.AST, _: ast.AST) -> Iterator[ast.AST]:
    others = {"max": "min", "maximum": "minimum", "sum": "mean", "mean": "sum", "exp": "log", "log": "log10"}
    if isinstance(node, ast.Attribute) and node.attr in others:
        yield ast.Attribute(copy.deepcopy(node.value), others[node.attr], node.ctx)


HOW = {
    "index": _index,
    "operator": _operator,
    "assignment": _assignment,
    "comparison": _comparison,
    "number": _number,
    "sign": _sign,
    "left out": _left_out,
    "statement": _statement,
    "name": _name,
    "function": _function,
}


def _tree(entry: Entry) -> ast.FunctionDef:
    """The function, without its decorators and its docstring."""
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(entry.function))).body
    assert isinstance(node, ast.FunctionDef)
    node.decorator_list = []
    return node


def _places(entry: Entry) -> Iterator[tuple[str, ast.AST, ast.AST]]:
    """Each change that can be made: how, the node, and what takes its place."""
    tree = _tree(entry)
    for how, change in HOW.items():
        for node in [one for statement in tree.body for one in ast.walk(statement)]:
            for other in change(node, tree):
                yield how, node, other


def _changed(entry: Entry, number: int) -> tuple[ast.FunctionDef, int]:
    """The tree with its change of that number, and the line of it in the text."""
    tree = _tree(entry)
    before = ast.unparse(tree).splitlines()
    made = 0
    for change in HOW.values():
        for node in [one for statement in tree.body for one in ast.walk(statement)]:
            for other in change(node, tree):
                if made == number:
                    _put(tree, node, other)
                    after = ast.unparse(ast.fix_missing_locations(tree)).splitlines()
                    differ = [k for k, (a, b) in enumerate(zip(before, after, strict=False), 1) if a != b]
                    return tree, differ[0] if differ else 0
                made += 1
    raise IndexError(number)


def _put(tree: ast.AST, node: ast.AST, other: ast.AST) -> None:
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is node:
                setattr(parent, name, other)
            elif isinstance(value, list) and any(one is node for one in value):
                value[[one is node for one in value].index(True)] = other


def mutants(count: int, seed: int) -> Iterator[Mutant]:
    """That many different mutants that run, drawn evenly over the functions and over the ways to change a line."""
    rng = np.random.default_rng(seed)
    entries = [
        entry
        for entry in ENTRIES
        if entry.verdict == "right"
        and inspect.isfunction(entry.function)
        and entry.function.__module__.startswith("corpus.")
        and not entry.function.__closure__
        and not any(name in entry.function.__globals__ for name in LIBRARIES)
        and "lambda" not in inspect.getsource(entry.function)
        and "while" not in inspect.getsource(entry.function)  # a mutant of which might never end
    ]
    places = {entry.name: [how for how, _, _ in _places(entry)] for entry in entries}
    seen: set[str] = set()
    while count:
        entry = entries[rng.integers(len(entries))]
        ways = sorted(set(places[entry.name]))
        how = ways[rng.integers(len(ways))]
        numbers = [k for k, one in enumerate(places[entry.name]) if one == how]
        tree, line = _changed(entry, numbers[rng.integers(len(numbers))])
        text = ast.unparse(tree) + "\n"
        if text in seen or not line:
            continue
        seen.add(text)
        made = Mutant(entry, how, line, text, _compiled(entry, text))
        if _runs(made):
            count -= 1
            yield made


def _compiled(entry: Entry, text: str) -> Callable:
    """The function of a text, which `inspect` finds as it finds a file's."""
    name = f"<mutant {len(linecache.cache)}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    namespace = dict(entry.function.__globals__)
    with warnings.catch_warnings(action="ignore"):
        exec(compile(text, name, "exec", dont_inherit=True), namespace)
    return namespace[entry.name]


def _batches() -> list[tuple[np.ndarray, np.ndarray, np.ndarray, float]]:
    rng = np.random.default_rng(4)
    sizes = [(17, 4, 5, 0.0), (6, 9, 3, 0.7), (31, 6, 4, 1.3)]
    return [
        (rng.normal(size=(D, C)), rng.normal(size=(N, D)), rng.permutation(np.arange(N) % C), reg)
        for N, D, C, reg in sizes
    ]


def _asked(mutant: Mutant) -> list[tuple[float, np.ndarray]] | None:
    """What it answers, dW (D, C); None where it gives no number and array shaped like W."""
    older, answers = mutant.entry.layout == "CD", []
    for W, X, y, reg in _batches():
        arguments = (W.T.copy(), X.T.copy()) if older else (W.copy(), X.copy())
        quiet = contextlib.redirect_stdout(io.StringIO())
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"), quiet:
            try:
                loss, dW = mutant.function(*arguments, y.copy(), reg)
                loss, dW = float(np.asarray(loss).item()), np.asarray(dW, dtype=float)
            except Exception:  # noqa: BLE001 - whatever a mutant raises, it says itself what is wrong
                return None
        if dW.shape != arguments[0].shape:
            return None
        answers.append((loss, dW.T if older else dW))
    return answers


def _runs(mutant: Mutant) -> bool:
    return _asked(mutant) is not None


def is_right(mutant: Mutant) -> bool:
    """By plain loops, with either penalty."""
    answers = _asked(mutant)
    agree = []
    for factor in (1.0, 0.5):
        agree.append(answers is not None)
        for (W, X, y, reg), (loss, dW) in zip(_batches(), answers or [], strict=False):
            expected, gradient = LOOPS[mutant.entry.loss](W, X, y, factor * reg)
            agree[-1] &= bool(np.isclose(loss, expected, rtol=1e-4) and np.allclose(dW, gradient, rtol=1e-3, atol=1e-5))
    return any(agree)


@dataclass(frozen=True)
class Outcome:
    """What the checker said of a mutant, and whether that can stand."""

    mutant: Mutant
    verdict: Verdict
    right: bool

    @property
    def codes(self) -> set[str]:
        return {one.code for one in self.verdict.faults}

    @property
    def called_right(self) -> bool:
        return not self.right and self.verdict.verdict in {"right", "right_unstable"}

    @property
    def unnamed(self) -> bool:
        """Wrong, and no fault of it named."""
        return not self.right and self.codes <= UNNAMED

    @property
    def partly_unnamed(self) -> bool:
        """Wrong, and something of it left without a name."""
        return not self.right and bool(self.codes & UNNAMED)

    @property
    def lines(self) -> set[int]:
        return {one.evidence["line"] for one in self.verdict.faults if "line" in one.evidence}


def judged(count: int, seed: int) -> Iterator[Outcome]:
    """The checker's verdict on each of that many mutants."""
    for mutant in mutants(count, seed):
        yield Outcome(mutant, check_loss(mutant.function, mutant.entry.loss), is_right(mutant))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    outcomes = list(judged(asked.count, asked.seed))
    wrong = [one for one in outcomes if not one.right]
    for one in wrong:
        if one.called_right or one.partly_unnamed or (one.lines and one.lines != {one.mutant.line}):
            what = "CALLED RIGHT" if one.called_right else "unnamed" if one.unnamed else "in part"
            what = what if one.called_right or one.partly_unnamed else "other line"
            print(f"{what}: {one.mutant} -> {one.verdict.verdict} {sorted(one.codes)} {sorted(one.lines)}")
    ways = collections.Counter(one.mutant.how for one in wrong if one.unnamed)
    print(f"{len(outcomes)} mutants, {len(wrong)} of them wrong")
    print(f"called right though wrong: {sum(one.called_right for one in wrong)}")
    unstable = [one for one in outcomes if one.right and one.verdict.verdict not in {"right", "right_unstable"}]
    print(f"right in these batches and not called so: {len(unstable)}")
    for one in unstable:
        print(f"   {one.mutant} -> {one.verdict.verdict} {sorted(one.codes)}")
    unnamed = sum(one.unnamed for one in wrong)
    print(f"without a name: {unnamed} = {100 * unnamed / max(1, len(wrong)):.1f} % {dict(ways)}")
    print(f"with a part that has none: {sum(one.partly_unnamed for one in wrong)}")
    placed = [one for one in wrong if one.lines]
    same = sum(one.lines == {one.mutant.line} for one in placed)
    print(f"with a line: {len(placed)}, of which the changed one: {same}")


if __name__ == "__main__":
    main()
