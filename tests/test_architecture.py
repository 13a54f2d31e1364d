"""Who may know whom, read from the imports themselves."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "linprobe"

# For each part, what else of the package it may import, at any depth of indentation.
MAY_KNOW = {
    "errors": set(),
    "publish": {"errors"},
    "tensors": {"errors", "publish"},
    "rows": {"arrays"},
    "dataset": {"errors", "arrays", "rows"},
    "arrays": {"errors"},
    "finite": {"arrays"},
    "losses": {"errors", "arrays"},
    "download": {"errors", "publish"},
    "sources": {"errors", "dataset", "download"},
    "objective": {"errors", "arrays", "losses"},
    "gradient_check": {"errors"},
    "checker": {"errors", "arrays", "losses", "gradient_check"},
    "solvers": {"errors", "arrays", "finite", "losses", "objective"},
    "prepare": {"errors", "arrays", "dataset"},
    "evaluate": {"errors", "arrays", "losses"},
    "space": {"errors", "solvers"},
    "encoding": set(),
    "checkpoint": {"", "encoding", "errors", "publish"},
    "screening": {"errors", "arrays"},
    "search": {
        *("errors", "arrays", "dataset", "checkpoint", "evaluate", "screening", "solvers", "space"),
    },
    "estimators": {"errors", "arrays", "finite", "losses", "evaluate", "objective", "solvers", "steps"},
    "probe_search": {"errors", "estimators", "solvers", "steps"},
    "classifier": {"", "errors", "evaluate", "losses", "prepare", "tensors"},
    "sight": {"errors", "sources"},
    "predict": {"errors", "arrays", "finite", "classifier", "sight", "sources"},
    "evidence": {"arrays", "classifier", "dataset", "evaluate"},
    "steps": set(),
    "splits": {"errors", "arrays", "finite", "dataset", "prepare", "rows"},
    "assess": {
        *("errors", "dataset", "prepare", "splits", "evaluate", "evidence", "classifier", "solvers", "tune"),
        *("steps", "tensors"),
    },
    "tune": {
        *("", "errors", "arrays", "dataset", "prepare", "rows", "splits", "solvers", "space", "search", "evaluate"),
        *("checkpoint", "classifier", "evidence", "steps", "losses"),
    },
    "worksheet": {
        *("", "errors", "dataset", "sources", "prepare", "losses", "objective", "gradient_check", "solvers"),
        *("search", "space", "checkpoint", "evaluate", "classifier", "evidence", "splits", "steps"),
    },
    "notebook": {"errors", "publish"},
    "report": {
        *(
            "",
            "errors",
            "losses",
            "publish",
            "search",
            "space",
            "tensors",
            "classifier",
            "evaluate",
            "evidence",
            "steps",
            "tune",
            "worksheet",
        ),
    },
}
LAST = {"report", "cli"}
SCIKIT_LEARNS = {
    *(f"estimators/{name}.py" for name in ("classifiers", "folds", "grid", "routing", "scoring")),
    "probe_search.py",
}
HEAVY = {"torch", "matplotlib", "sklearn", "pyarrow", "httpx", "safetensors", "jax", "dask", "jinja2", "plotly"}


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def part_of(path: Path) -> str:
    first = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    return "cli" if first == "__main__" else "" if first == "__init__" else first


def imports(path: Path, *, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
            if node.module == "linprobe":
                found |= {f"linprobe.{alias.name}" for alias in node.names if alias.name.islower()}
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_knows_only_what_lies_below_it(path):
    part = part_of(path)
    known = {name.split(".")[1] if "." in name else "" for name in imports(path) if name.split(".")[0] == "linprobe"}
    known = {name for name in known if name in {part_of(module) for module in modules()}}
    if part in {"cli", ""}:
        return
    assert part in MAY_KNOW, f"{part} is a new part: say here whom it may know"
    assert known - {part, ""} <= MAY_KNOW[part]
    assert not known & (LAST - {part})


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_heavy_libraries_are_imported_where_they_are_used(path):
    # The estimators derive from scikit-learn's classes; they are themselves imported where they are used.
    allowed = {"sklearn"} if path.relative_to(SOURCE).as_posix() in SCIKIT_LEARNS else set()
    assert not {name.split(".")[0] for name in imports(path, top_level_only=True)} & (HEAVY - allowed)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_can_be_read_in_one_sitting(path):
    assert len(path.read_text().splitlines()) <= 330


def test_only_arrays_knows_torch():
    def named(path):
        nodes = ast.walk(ast.parse(path.read_text()))
        words = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        return "torch" in {name.split(".")[0] for name in imports(path) | {word for word in words if " " not in word}}

    assert [path.name for path in modules() if named(path)] == ["arrays.py"]


@pytest.mark.parametrize("statement", ["import linprobe", "import linprobe.cli"])
def test_importing_loads_nothing_heavy(statement):
    command = f"{statement}; import sys; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    loaded = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout.split()
    assert not set(loaded) & (HEAVY | {"scipy", "numpy", "PIL"})
