"""Who may know whom, read from the imports themselves."""

import ast
import functools
import importlib.util
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "linprobe"

ROWS = {"data.rows", "data.terms"}

# For each part, what else of the package it may import, at any depth of indentation; a folder stands for all in it.
MAY_KNOW = {
    "errors": set(),
    "_moved": set(),
    "publish": {"errors"},
    "core.backend": {"errors"},
    "core.finite": {"core.backend", *ROWS},
    "core.heads": {"core.backend"},
    "core.losses": {"errors", "core.backend"},
    # Of `data` the engines know how rows are asked for, and what these count.
    "core.objective": {"errors", "core.backend", "core.losses", *ROWS, "data.weights"},
    "core.measure": {"core.backend", "core.losses", *ROWS},
    "core.resampling": set(),
    "core.paired": {"core.measure", "core.resampling"},
    "core.metrics": {"errors", "core.backend", "core.losses", "core.resampling"},
    # Shares nothing with the solver, on purpose.
    "core._certified_rows": {"errors", "core.backend", *ROWS},
    "core.certificate": {"errors", "core.losses", "core._certified_rows", "data.terms"},
    "core.sgd": {"errors", "core.backend", "core.losses"},
    "core.exact": {
        *("errors", "core.backend", "core.finite", "core.heads", "core.losses", "core.objective"),
        *(*ROWS, "data.moments", "data.weights"),
    },
    "data": {"errors", "publish", "core.backend", "core.finite"},
    "compare": {"errors", "publish", "data", "core"},
    "learn.loops": set(),
    "learn.gradient_check": {"errors"},
    "learn.checker": {"errors", "core.backend", "learn.gradient_check", "learn.loops"},
    "learn.worksheet": {
        *("_moved", "errors", "data", "core", "compare", "model", "results"),
        *("learn.gradient_check", "learn.loops"),
    },
    "learn.notebook": {"errors", "publish"},
    "estimators": {
        *("errors", "core", "compare", "model", "results.steps"),
        *(*ROWS, "data.columns", "data.dask_rows", "data.dask_sources", "data.moments", "data.prepare", "data.weights"),
    },
    # Makes estimators, which save themselves as models.
    "model": {"_moved", "errors", "publish", "core.measure", "core.metrics", "core.losses", "data", "estimators"},
    "results": {"errors", "compare.comparison", "compare.settings", "core.measure", "core.metrics", "core.resampling"},
    "tasks.tune": {"errors", "data", "core", "compare", "model", "results"},
    "tasks.evaluate": {
        *("errors", "data", "core.measure", "core.metrics", "core.certificate", "model", "results", "tasks.tune"),
    },
    "tasks.predict": {"errors", "core.backend", "core.finite", "model", "data"},
    "tasks.batch": {"errors", "publish", "core.backend", "model", "data", "tasks.predict"},
    "tasks.partitioned": {"errors", "data", "model", "tasks.predict", "tasks.batch"},
    "tasks.describe": {"errors", "data", "core", "compare.defaults", "results.steps", "tasks.tune.options"},
    "tasks.compare_runs": {"errors", "core.measure", "core.paired", "model.predictions", "results"},
    "report": {
        *("errors", "publish", "core.losses", "core.measure", "core.metrics", "compare", "model", "results"),
        *("tasks.compare_runs", "tasks.tune"),
    },
}
UNNAMED = {"linprobe.model.model"}  # keyword arguments of an estimator, as get_params has them
FOLDERS = {"linprobe", "linprobe.core", "linprobe.learn", "linprobe.tasks"}  # which hold nothing but their parts
LAST = {"report", "cli"}
TEACH = {"cli.worksheet", "cli.handin", "cli.check", "cli.class_page"}  # the commands for who learns and who teaches
SCIKIT_LEARNS = {
    f"estimators/{name}.py"
    for name in ("classifiers", "probe_search", "_exchange", "_folds", "_grid", "_routing", "_scoring")
}
HEAVY = {"torch", "matplotlib", "sklearn", "pyarrow", "httpx", "safetensors", "h5py", "jax", "dask", "jinja2", "plotly"}
HEAVY |= {"onnx", "onnxruntime", "skops", "distributed", "fsspec", "pandas"}


@functools.cache
def parsed(path):
    """The syntax tree of a module, which no test changes."""
    return ast.parse(path.read_text())


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def within(name: str, parts: set[str]) -> bool:
    """Whether a module is one of these parts, or in one."""
    return any(f"{name}.".startswith(f"linprobe.{part}.") for part in parts)


def imports(path: Path, *, top_level_only: bool = False) -> set[str]:
    tree = parsed(path)
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_knows_only_what_lies_below_it(path):
    name = name_of(path)
    every = {name_of(module) for module in modules()} - FOLDERS
    if name in FOLDERS or within(name, {"cli", "__main__"}):
        return
    parts = {part for part in MAY_KNOW if within(name, {part})}
    assert parts, f"{name} is a new part: say here whom it may know"
    (part,) = parts
    known = {one for one in imports(path) & every if not within(one, {part})}
    assert not {one for one in known if not within(one, MAY_KNOW[part])}
    assert not {one for one in known if within(one, LAST)}


def test_only_the_commands_for_learners_know_the_learners_wing():
    knowing = {name_of(path) for path in modules() if any(within(one, {"learn"}) for one in imports(path))}
    outside = {name for name in knowing if not within(name, {"learn"})}
    assert outside == {"linprobe", *(f"linprobe.{command}" for command in TEACH)}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_heavy_libraries_are_imported_where_they_are_used(path):
    # The estimators derive from scikit-learn's classes; they are themselves imported where they are used.
    allowed = {"sklearn"} if path.relative_to(SOURCE).as_posix() in SCIKIT_LEARNS else set()
    assert not {name.split(".")[0] for name in imports(path, top_level_only=True)} & (HEAVY - allowed)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_private_module_is_known_in_its_own_folder_alone(path):
    private = [name_of(module) for module in modules() if re.match("_[^_]", module.stem)]
    folders = {name: name.rpartition(".")[0] for name in private}
    assert not {one for one in imports(path) & set(folders) if not f"{name_of(path)}.".startswith(f"{folders[one]}.")}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_dict_of_anything_has_a_name_that_says_whose_it_is(path):
    # What passes between our own functions has a field per key; a border, such as JSON or plotly, has an alias.
    unnamed = [line for line in path.read_text().splitlines() if re.search(r"^(?!\w+ = ).*dict\[str, Any\]", line)]
    assert unnamed == [] or name_of(path) in UNNAMED


def test_no_module_is_hidden_by_something_of_its_name():
    names = [name_of(path) for path in modules() if path.stem != "__main__" and path != SOURCE / "__init__.py"]
    if importlib.util.find_spec("torch") is None:
        names.remove("linprobe.core.backend.torch")
    loaded = {name: importlib.import_module(name) for name in names}
    parents = {name: importlib.import_module(name.rpartition(".")[0]) for name in names}
    assert [name for name in names if getattr(parents[name], name.rpartition(".")[2]) is not loaded[name]] == []


def test_no_two_classes_have_one_name():
    trees = [parsed(path) for path in modules()]
    counts = Counter(node.name for tree in trees for node in tree.body if isinstance(node, ast.ClassDef))
    assert {name for name, count in counts.items() if count > 1} == set()


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_can_be_read_in_one_sitting(path):
    assert len(path.read_text().splitlines()) <= 330


def test_only_the_backend_and_the_reader_of_its_files_know_torch():
    def named(path):
        nodes = ast.walk(parsed(path))
        words = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        return "torch" in {name.split(".")[0] for name in imports(path) | {word for word in words if " " not in word}}

    # Who exports a model calls the form by this name, and leaves the file to that reader's module.
    by_word = {"linprobe.cli.export", "linprobe.model.export", "linprobe.model.model", "linprobe.estimators._exchange"}
    knowing = [name_of(path) for path in modules() if named(path) and name_of(path) not in by_word]
    assert knowing == ["linprobe.core.backend.torch", "linprobe.data.formats.torch_files"]
    theirs = [imports(path) for path in modules() if name_of(path) in by_word]
    assert len(theirs) == len(by_word)
    assert not {name for found in theirs for name in found if name.split(".")[0] == "torch"}


@pytest.mark.parametrize("statement", ["import linprobe", "import linprobe.cli"])
def test_importing_loads_nothing_heavy(statement):
    command = f"{statement}; import sys; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    loaded = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout.split()
    assert not set(loaded) & (HEAVY | {"scipy", "numpy", "PIL"})


def test_what_the_pages_on_the_architecture_name_is_there():
    root = SOURCE.parents[1]
    for page in ("docs/architecture.md", "CONTRIBUTING.md"):
        table = [line for line in (root / page).read_text().splitlines() if line.startswith("| ")]
        named = {name for line in table for name in re.findall(r"`([a-z_]+(?:/[a-z_]+)*(?:/|\.py|\.md))`", line)}
        assert len(named) > 12
        # A file that a row names after its folder is called by its own name there.
        own = {path.name for path in SOURCE.rglob("*.py")} | {f"{path.name}/" for path in SOURCE.rglob("*")}
        lost = {name for name in named if not ((SOURCE / name).exists() or (root / name).exists() or name in own)}
        assert not lost, page


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_public_module_says_what_it_has_for_others(path):
    if path.name.startswith("_"):
        return
    tree = parsed(path)
    own = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    public = {name for name in own if not name.startswith("_")}
    said = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "__all__"
    ]
    assert said or not public
    assert not said or public <= set(said[0])
