"""Small edits of a function's text, one at a time: what its author may have meant instead of what stands there."""

import ast
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import CodeType

__all__ = ["Edit", "edits"]

REDUCTIONS = {"sum", "max", "min", "mean", "argmax", "amax", "prod"}
# Functions that are taken for each other.
MIXED_UP = (
    ("max", "min", "argmax", "sum", "mean"),
    ("maximum", "minimum"),
    ("exp", "log", "log2", "log10", "log1p", "abs", "square"),
    ("zeros", "ones", "zeros_like", "ones_like"),
)
# Signs, and those that are written by mistake for each. Others may well give the right numbers, 1 / p for 1 - p where p
# then cancels, and yet nobody meant them.
SIGNS = {
    ast.Add: ("+", "-*"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/+"),
    ast.Div: ("/", "*"),
}
COMPARISONS = (">", "<", ">=", "<=", "==", "!=")
COMPARED = {
    kind: (sign, COMPARISONS)
    for kind, sign in zip((ast.Gt, ast.Lt, ast.GtE, ast.LtE, ast.Eq, ast.NotEq), COMPARISONS, strict=True)
}
SUMS = ast.Add | ast.Sub
NUMBERS = ("0", "1", "2", "0.5", "-1")
SIMPLE = ast.Name | ast.Constant | ast.Call | ast.Subscript | ast.Attribute
MOST_NAMES = 14


@dataclass(frozen=True)
class Edit:
    """One edit of one line.

    code, of `codes.CODES`; cost: 0 where an index, sign or number takes the place of another, 1 where any name does, 2
    and 3 where something is left out or added; line, of the function, its first being 1; advice, in words; text, the
    whole function with the edit in it; compiled, its code.
    """

    code: str
    cost: int
    line: int
    advice: str
    text: str
    compiled: CodeType | None = None

    @property
    def instead(self) -> str | None:
        """The line as the edit leaves it; None where nothing is left in its place."""
        return None if self.code == "wrong_statement" else self.text.splitlines()[self.line - 1].strip()


def edits(text: str) -> Iterator[Edit]:
    """The edits of a function, given as its text, which begins with `def` in the first column: each text once.

    Those that cost less come first; each is compiled when it is asked for.
    """
    found: dict[str, Edit] = {}
    for edit in _Function(text).edits():
        if edit.text != text:
            found.setdefault(edit.text, edit)
    for edit in sorted(found.values(), key=lambda edit: edit.cost):
        if (compiled := _compiled(edit.text)) is not None:
            yield replace(edit, compiled=compiled)


def _compiled(text: str) -> CodeType | None:
    """The code of an edited function; None where the edit, which knows nothing of what stands beside it, broke it."""
    with warnings.catch_warnings(action="ignore"):
        try:
            return compile(text, "<edit>", "exec", dont_inherit=True)
        except SyntaxError:
            return None


class _Function:
    """A function's text, its tree and what is in it."""

    def __init__(self, text: str) -> None:
        self.data = text.encode()
        self.starts = [0]
        for line in self.data.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        self.tree = next(node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef))
        self.parents = {child: parent for parent in ast.walk(self.tree) for child in ast.iter_child_nodes(parent)}
        nodes = list(ast.walk(self.tree))
        self.arguments = [one.arg for one in self.tree.args.args]
        stored = [node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
        self.names = list(dict.fromkeys([*self.arguments, *stored]))[:MOST_NAMES]
        self.indices = list(dict.fromkeys(self.source(node) for node in nodes if self._is_index(node)))[:MOST_NAMES]

    def source(self, node: ast.AST) -> str:
        """The text of a node."""
        start, end = self._range(node)
        return self.data[start:end].decode()

    def edits(self) -> Iterator[Edit]:
        """Every edit, of the same text perhaps several."""
        for statement in self.tree.body:
            for node in ast.walk(statement):
                if isinstance(node, ast.stmt):
                    yield from self._of_statement(node)
                elif isinstance(node, ast.expr):
                    yield from self._of_expression(node)

    def _of_statement(self, node: ast.stmt) -> Iterator[Edit]:
        if isinstance(node, ast.Continue | ast.Break):
            for word in ("continue", "break", "pass"):
                yield self._replace(node, word, "wrong_statement")
        if isinstance(node, ast.AugAssign):
            yield from self._sign(node, node.target, node.value, SIGNS)
            yield from self._more_of(node.value)
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            if not isinstance(node.targets[0], ast.Tuple):
                yield from self._sign(node, node.targets[0], node.value, {ast.Assign: ("", "+-")})
            yield from self._more_of(node.value)
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            for value in node.value.elts:
                yield from self._more_of(value)
        if isinstance(node, ast.Assign | ast.AugAssign | ast.If | ast.Expr | ast.Return):
            simple = not isinstance(node, ast.If) or (len(node.body) == 1 and not node.orelse)
            if simple and not self._is_docstring(node):
                yield self._replace(node, "pass", "wrong_statement", 2, "without it")
        if isinstance(node, ast.For):
            yield from self._out_of(node)

    def _out_of(self, loop: ast.For) -> Iterator[Edit]:
        """The last statement of a loop's body, behind the loop instead."""
        last = loop.body[-1]
        if len(loop.body) < 2 or last.lineno == loop.lineno or last.lineno == loop.body[-2].end_lineno:
            return
        start, end = self.starts[last.lineno - 1], self.starts[last.end_lineno or last.lineno]
        lines = self.data[start:end].decode().splitlines(keepends=True)
        if any(line.strip() and not line.startswith(" " * last.col_offset) for line in lines):
            return
        moved = "".join(" " * loop.col_offset + line[last.col_offset :] for line in lines)
        yield self._splice(start, end, moved, "wrong_statement", 2, "behind the loop, one level further out")

    def _more_of(self, value: ast.expr) -> Iterator[Edit]:
        """A value with a sign or a factor that it lacks."""
        whole = self._closed(value)
        found = self.source(value)
        for more in (f"-{whole}", f"2 * {whole}", f"0.5 * {whole}"):
            yield self._replace(value, more, "wrong_term", 3, _instead_of(more, found))
        for name in self.arguments[3:4]:
            more = f"{name} * {whole}"
            yield self._replace(value, more, "wrong_term", 3, _instead_of(more, found))
        for name in self.arguments[2:3]:
            more = f"{whole} / len({name})"
            yield self._replace(value, more, "wrong_term", 3, _instead_of(more, found))

    def _of_expression(self, node: ast.expr) -> Iterator[Edit]:
        if self._is_index(node) or (isinstance(node, ast.Slice) and isinstance(self._index_owner(node), ast.Subscript)):
            for index in (*self.indices, ":") if not self._in_call(node) else self.indices:
                yield self._replace(node, index, "wrong_index", 0, "", owner=self._index_owner(node))
        if isinstance(getattr(node, "ctx", None), ast.Store):
            return
        match node:
            case ast.Name() if node.id in self.names and not self._is_index(node):
                for name in self.names:
                    yield self._replace(node, name, "wrong_name", 1)
            case ast.Constant() if type(node.value) in {int, float}:
                yield from self._number(node)
            case ast.Constant() if isinstance(node.value, bool):
                yield self._replace(node, str(not node.value), "wrong_name")
            case ast.BinOp():
                yield from self._binary(node)
            case ast.UnaryOp(op=ast.USub()):
                yield self._replace(node, self._closed(node.operand), "wrong_operator")
            case ast.Compare() if len(node.ops) == 1:
                yield from self._sign(node, node.left, node.comparators[0], COMPARED)
            case ast.BoolOp():
                for value in node.values:
                    yield self._replace(node, self._closed(value), "wrong_term", 2)
            case ast.Call():
                yield from self._call(node)

    def _number(self, node: ast.Constant) -> Iterator[Edit]:
        parent = self.parents[node]
        if isinstance(parent, ast.Subscript | ast.Slice) or self._is_index(parent):
            numbers, code = ("0", "1", "-1"), "wrong_index"
        elif isinstance(parent, ast.keyword):
            numbers, code = ("0", "1", "-1"), "wrong_axis" if parent.arg == "axis" else "wrong_number"
        elif isinstance(parent, ast.Call) and _name_of(parent.func) in REDUCTIONS:
            numbers, code = ("0", "1"), "wrong_axis"
        else:
            numbers, code = NUMBERS, "wrong_number"
        named = f"{parent.arg}=" if isinstance(parent, ast.keyword) else ""
        for number in numbers:
            advice = _instead_of(named + number, named + self.source(node))
            yield self._replace(node, number, code, 0, advice)

    def _binary(self, node: ast.BinOp) -> Iterator[Edit]:
        yield from self._sign(node, node.left, node.right, SIGNS)
        for one in (node.left, node.right):
            # What binds as closely as the whole did needs no parentheses in its place.
            closed = isinstance(one, ast.BinOp) and isinstance(one.op, SUMS) == isinstance(node.op, SUMS)
            yield self._replace(node, self.source(one) if closed else self._closed(one), "wrong_term", 2)
        if isinstance(node.op, ast.Pow | ast.Mult):
            left = self._closed(node.left)
            yield self._replace(node, f"{left} * {left}", "wrong_term", 2)
        if isinstance(node.op, ast.Sub | ast.Div):
            swapped = (
                f"{self._closed(node.right)} {'-' if isinstance(node.op, ast.Sub) else '/'} {self._closed(node.left)}"
            )
            yield self._replace(node, f"({swapped})", "wrong_operator", 2, _instead_of(swapped, self.source(node)))

    def _call(self, node: ast.Call) -> Iterator[Edit]:
        name = _name_of(node.func)
        for group in MIXED_UP:
            for other in group if name in group else ():
                if other != name:
                    func = self.source(node.func)
                    changed = func[: len(func) - len(name)] + other
                    yield self._replace(node.func, changed, "wrong_name")
        if node.args and not isinstance(node.args[0], ast.Starred):
            alone = isinstance(self.parents[node], ast.stmt | ast.Tuple | ast.Call | ast.keyword)
            inside = node.args[0]
            yield self._replace(node, self.source(inside) if alone else self._closed(inside), "wrong_term", 2)
        if name == "range" and len(node.args) == 2:
            yield self._replace(node, f"range({self.source(node.args[1])})", "wrong_term", 2)
        if name in REDUCTIONS:
            own = isinstance(node.func, ast.Attribute) and _name_of(node.func.value) not in {"np", "numpy"}
            has = any(one.arg == "axis" for one in node.keywords) or len(node.args) > (0 if own else 1)
            if not has:
                inside = self.source(node)[:-1]
                for axis in ("axis=0", "axis=1", "axis=1, keepdims=True"):
                    more = f"{inside}{'' if inside.endswith('(') else ', '}{axis})"
                    yield self._replace(node, more, "wrong_axis", 2)
            elif node.args and not own:
                less = f"{self.source(node.func)}({self.source(node.args[0])})"
                yield self._replace(node, less, "wrong_axis", 2)

    def _sign(
        self, node: ast.AST, left: ast.expr, right: ast.expr, signs: Mapping[type, tuple[str, Iterable[str]]]
    ) -> Iterator[Edit]:
        """The sign between two parts, in place of which each of those is put that it may be a slip for."""
        sign, others = signs.get(type(getattr(node, "ops", [getattr(node, "op", node)])[0]), ("", ()))
        if isinstance(node, ast.AugAssign):
            others = (*others, "")  # =
        if isinstance(node, ast.AugAssign | ast.Assign):
            sign, others = f"{sign}=", [f"{one}=" for one in others]
        start, end = self._range(left)[1], self._range(right)[0]
        between = self.data[start:end].decode()
        place = between.find(sign)
        if not sign or place < 0 or "#" in between or "\n" in between:
            return
        at = start + len(between[:place].encode())
        for other in others:
            if other != sign:
                advice = f"with {other} in place of {sign}"
                yield self._splice(at, at + len(sign), other, "wrong_operator", 0, advice)

    def _replace(
        self, node: ast.AST, new: str, code: str, cost: int = 0, advice: str = "", owner: ast.AST | None = None
    ) -> Edit:
        start, end = self._range(node)
        found = self.source(node)
        if owner is not None:  # p[j], rather than j, is said to be wrong
            a, b = self._range(owner)
            whole = self.data[a:start].decode() + new + self.data[end:b].decode()
            advice = _instead_of(whole, self.source(owner))
        return self._splice(start, end, new, code, cost, advice or _instead_of(new, found))

    def _splice(self, start: int, end: int, new: str, code: str, cost: int, advice: str) -> Edit:
        text = (self.data[:start] + new.encode() + self.data[end:]).decode()
        line = self.data.count(b"\n", 0, start) + 1
        return Edit(code, cost, line, advice, text)

    def _closed(self, node: ast.expr) -> str:
        text = self.source(node)
        return text if isinstance(node, SIMPLE) else f"({text})"

    def _range(self, node: ast.AST) -> tuple[int, int]:
        where = node if hasattr(node, "lineno") else self.parents[node]
        start = self.starts[where.lineno - 1] + where.col_offset  # pyright: ignore[reportAttributeAccessIssue]
        end = self.starts[where.end_lineno - 1] + where.end_col_offset  # pyright: ignore[reportAttributeAccessIssue]
        return start, end

    def _index_owner(self, node: ast.AST) -> ast.AST | None:
        """The subscript of which a node is the index, or one of several."""
        parent = self.parents.get(node)
        if isinstance(parent, ast.Tuple):
            node, parent = parent, self.parents.get(parent)
        return parent if isinstance(parent, ast.Subscript) and parent.slice is node else None

    def _is_index(self, node: ast.AST) -> bool:
        kind = ast.Name | ast.Subscript | ast.Call
        return isinstance(node, kind) and self._index_owner(node) is not None

    def _in_call(self, node: ast.AST) -> bool:
        return isinstance(self.parents.get(node), ast.Call)

    def _is_docstring(self, node: ast.stmt) -> bool:
        return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _instead_of(new: str, found: str) -> str:
    return f"with {' '.join(new.split())} in place of {' '.join(found.split())}"


def _name_of(func: ast.expr) -> str:
    return func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
