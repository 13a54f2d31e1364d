import importlib.util
import textwrap

import numpy as np
import pytest

ARGUMENTS = (np.arange(6.0).reshape(3, 2), np.ones((4, 3)), np.array([0, 1, 0, 1]), 0.5)


@pytest.fixture
def told(sandboxed):
    """What f of a file answers, and the sandbox."""

    def ask(source, **options):
        sandbox = sandboxed(source, **options)
        names = sandbox.load()
        assert sandbox.crash is None, sandbox.crash
        assert "f" in names
        outcome = sandbox.function("f")(*ARGUMENTS)
        assert outcome.crash is None, outcome.crash
        return outcome, sandbox

    return ask


SUPPLIED = "{} is no longer there: what it was has been supplied."
CALLS = [
    ("sum(i for i in xrange(4))", 6, "xrange is of Python 2: range was used in its place."),
    ("reduce(lambda a, b: a + b, [1, 2, 3])", 6, "reduce is of Python 2: reduce was used in its place."),
    ("len(unicode(12))", 2, "unicode is of Python 2: str was used in its place."),
    ("long(3)", 3, "long is of Python 2: int was used in its place."),
    ("np.zeros(2, dtype=np.float).sum()", 0.0, SUPPLIED.format("numpy.float")),
    ("np.ones(3).astype(np.int).sum()", 3, SUPPLIED.format("numpy.int")),
    ("np.float_(2.5)", 2.5, SUPPLIED.format("numpy.float_")),
    ("np.product([2, 3])", 6, SUPPLIED.format("numpy.product")),
    ("np.asscalar(np.ones(1))", 1.0, SUPPLIED.format("numpy.asscalar")),
    ("-np.Inf", -np.inf, SUPPLIED.format("numpy.Inf")),
    ("np.math.log(1)", 0.0, SUPPLIED.format("numpy.math")),
    ("sum(np.in1d([1, 2], [2]))", 1, SUPPLIED.format("numpy.in1d")),
    ("np.msort(np.array([2, 1]))[0] + np.rank(X)", 3, SUPPLIED.format("numpy.msort"), SUPPLIED.format("numpy.rank")),
]


def test_a_call_gets_what_it_needs_and_a_note_says_so(sandboxed):
    functions = [f"def f{n}(W, X, y, reg):\n    W *= 1\n    return {body}, W\n" for n, (body, *_) in enumerate(CALLS)]
    sandbox = sandboxed("import numpy as np\n" + "".join(functions))
    sandbox.load()
    told = []
    for n, (_, value, *notes) in enumerate(CALLS):
        told += notes
        outcome = sandbox.function(f"f{n}")(*ARGUMENTS)
        assert outcome.crash is None
        assert outcome.loss == value
        assert np.array_equal(outcome.gradient, ARGUMENTS[0])
        assert outcome.supplied == tuple(notes)
        assert sandbox.notes == told
        assert sandbox.function(f"f{n}")(*ARGUMENTS).supplied == ()  # it is there now
    assert sandbox.missing == []


PAST = "past, which bridges Python 2 and 3, is not installed: its names were supplied."
COURSE = "The course's own package, cs231n, is not all there: what the file imports from it was left empty."


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("imports", "body", "value", "note"),
    [
        ("from past.builtins import xrange", "sum(xrange(4))", 6, PAST),
        ("from past.utils import old_div", "old_div(7, 2) + old_div(1.0, 2)", 3.5, PAST),
        ("import past.builtins as old", "old.unicode(3) and old.max(2, 1)", 2, PAST),
        (
            "from future import standard_library\nstandard_library.install_aliases()",
            "1",
            1,
            "future, which bridges Python 2 and 3, is not installed: its names were supplied.",
        ),
        ("from builtins import xrange", "sum(xrange(4))", 6, SUPPLIED.format("builtins.xrange")),
        ("from itertools import izip", "sum(a * b for a, b in izip([1], [3]))", 3, SUPPLIED.format("itertools.izip")),
        ("import cPickle as p", "p.loads(p.dumps(3))", 3, "cPickle is of Python 2: pickle was used in its place."),
        ("from scipy.misc import imread", "1", 1, "scipy.misc.imread is no longer there: its calls do nothing."),
        ("from cs231n.data_utils import load_CIFAR10", "1", 1, COURSE),
        ("from cs231n import layers, optim\nimport cs231n.fast_layers", "1", 1, COURSE),
        ("from .layers import *\nfrom ..data_utils import load", "1", 1, COURSE),
        ("from ..classifiers.softmax import softmax", "1", 1, COURSE),  # which is the file itself
        ("from cs231n.classifiers import LinearClassifier\nclass Softmax(LinearClassifier): pass", "1", 1, COURSE),
        (
            "import seaborn as sns\nsns.set(style='dark')\nsns.axes['x'] = 1\nwith sns.color_palette(): pass",
            "1",
            1,
            "seaborn is not installed: its calls do nothing.",
        ),
    ],
)  # fmt: skip
def test_an_import_gets_what_it_needs_and_the_note_says_so(told, imports, body, value, note):
    package = imports.split()[1].partition(".")[0]
    if package in {"past", "future", "seaborn"} and importlib.util.find_spec(package):
        pytest.skip(f"{package} is installed here, and nothing is to be supplied")
    outcome, sandbox = told(f"{imports}\ndef f(W, X, y, reg):\n    return {body}, W\n")
    assert outcome.loss == value
    assert sandbox.notes == [note]
    assert outcome.supplied == ()


def test_scipy_misc_has_its_logsumexp_again(told):
    outcome, sandbox = told("from scipy.misc import logsumexp\ndef f(W, X, y, reg):\n    return logsumexp(W), W\n")
    assert outcome.loss == pytest.approx(np.log(np.exp(ARGUMENTS[0]).sum()), rel=1e-15)
    assert len(sandbox.notes) == 1


def test_nothing_is_supplied_that_a_file_does_without(told):
    source = """
    import numpy as np
    try:
        from past.builtins import xrange
    except ImportError:
        xrange = range
    try:
        unicode
    except NameError:
        unicode = str
    real = float if not hasattr(np, "float") else 1 / 0

    def f(W, X, y, reg):
        return real(sum(xrange(3))), W
    """
    outcome, sandbox = told(source)
    assert outcome.loss == 3
    assert sandbox.notes == []


def test_a_missing_import_is_supplied_and_told_with_its_line(told):
    source = """
    zeros = np.zeros(2)

    def f(W, X, y, reg):
        a = math.exp(0)
        return a + log(1.0) + special.logsumexp([0]) + random.choice([2]), np.ones_like(W)
    """
    outcome, sandbox = told(source)
    assert outcome.loss == 3
    assert outcome.supplied == ()
    assert sandbox.notes == []
    assert sandbox.missing == [("np", 2), ("math", 5), ("log", 6), ("special", 6), ("random", 6)]


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("source", "kind", "message", "line"),
    [
        ("\nimport no_such_module", "ModuleNotFoundError", "No module named 'no_such_module'", 2),
        ("from numpy import no_such_name", "ImportError", "cannot import name 'no_such_name' from 'numpy'", 1),
        (
            "import numpy as np\n\nnp.no_such_name",
            "AttributeError",
            "module 'numpy' has no attribute 'no_such_name'",
            3,
        ),
        ("def g():\n    return undefined\ng()", "NameError", "name 'undefined' is not defined", 2),
        ("def g():\n    xrange = xrange\ng()", "UnboundLocalError", "cannot access local variable 'xrange'", 2),
        ("from ...above import x", "ImportError", "attempted relative import beyond top-level package", 1),
        ("raise NameError", "NameError", "", 1),
        ("from cs231n.layers import affine\naffine(1)", "ImportError", "cs231n.layers.affine is called", 2),
    ],
)
def test_what_is_not_known_stays_an_error_with_its_line(sandboxed, source, kind, message, line):
    sandbox = sandboxed(source)
    assert sandbox.load() is None
    assert sandbox.crash is not None
    assert (sandbox.crash.kind, sandbox.crash.line) == (kind, line)
    assert sandbox.crash.message.startswith(message)


def test_what_lies_beside_it_is_not_there(told, sandboxed, tmp_path):
    folder = tmp_path / "cs231n" / "classifiers"
    folder.mkdir(parents=True)
    for name in ("linear_svm", "helpers", "random", "numpy"):
        (folder / f"{name}.py").write_text("1 / 0\n")
    source = """
    import random
    import numpy as np
    from cs231n.classifiers.linear_svm import svm_loss_naive
    from .helpers import three

    def f(W, X, y, reg):
        return 2.0, W
    """
    outcome, sandbox = told(source, name="../cs231n/classifiers/softmax.py")
    assert outcome.loss == 2
    assert sandbox.notes == [COURSE]
    sandbox = sandboxed("import helpers\n", name="../cs231n/classifiers/softmax.py")
    assert sandbox.load() is None
    assert (sandbox.crash.kind, sandbox.crash.message) == ("ModuleNotFoundError", "No module named 'helpers'")


def test_functions_are_named_those_of_the_file_first(sandboxed):
    source = """
    from math import exp
    from numpy import dot, exp as exponential
    from cs231n.layers import svm_loss_naive
    import matplotlib.pyplot as plt
    from functools import wraps

    class Classifier:
        def loss(self): pass

    def decorated(f):
        @wraps(f)
        def wrapper(*a): return f(*a)
        return wrapper

    @decorated
    def softmax_loss_naive(W, X, y, reg): pass

    softmax_loss_vectorized = lambda W, X, y, reg: None
    constant = 3
    """
    sandbox = sandboxed(source)
    assert sandbox.load() == ["decorated", "softmax_loss_naive", "softmax_loss_vectorized", "wraps"]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("# -*- coding: latin-1 -*-\nname = 'Zürich'\n".encode("latin-1"), "Zürich"),
        ("\ufeffname = 'Zürich'\r\n".encode(), "Zürich"),
        ("#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\nname = '\u20ac'\n".encode("cp1252"), "\u20ac"),
    ],
)
def test_files_are_decoded_as_python_does(told, data, text):
    outcome, _ = told(data + b"def f(W, X, y, reg):\n    return ord(name[0]) + len(name), W\n")
    assert outcome.loss == ord(text[0]) + len(text)


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("data", "kind", "message", "line"),
    [
        (b"a = 1\nif a:\n    b = 1\n\tc = 2\n", "TabError", "inconsistent use of tabs and spaces", 4),
        (b"def f():\nreturn 1\n", "IndentationError", "expected an indented block", 2),
        (b"a = 1\nprint 'loss', a\n", "SyntaxError", "Missing parentheses in call to 'print'", 2),
        (b"def f(:\n", "SyntaxError", "invalid syntax", 1),
        (b"a = 1\n# caf\xe9\n", "SyntaxError", "byte 0xe9 is no utf-8; save the file as UTF-8", 2),
        (b"# coding: ascii\n\n\nb = '\xe9'\n", "SyntaxError", "byte 0xe9 is no ascii; save the file as UTF-8", 4),
        (b"# coding: no-such\n", "SyntaxError", "unknown encoding: no-such", None),
        (b"# coding: rot13\n", "LookupError", "'rot13' is not a text encoding", None),
        (b"a = 1\0\n", None, "source code string cannot contain null bytes", None),
        (b"(" * 50_000, None, "", None),
        (b"-" * 500_000 + b"1", None, "", None),
    ],
)
def test_what_python_cannot_read_is_told_with_the_line(sandboxed, data, kind, message, line):
    sandbox = sandboxed(data)
    assert sandbox.load() is None
    assert sandbox.crash is not None
    if kind is not None:
        assert (sandbox.crash.kind, sandbox.crash.line) == (kind, line)
    assert sandbox.crash.message.startswith(message)


def test_a_text_of_a_line_is_told(sandboxed):
    sandbox = sandboxed("a = 1\nprint 'loss', a\n")
    sandbox.load()
    assert sandbox.crash is not None
    assert sandbox.crash.text == "print 'loss', a"


def test_pictures_are_not_drawn(sandboxed):
    source = textwrap.dedent("""
    import matplotlib
    matplotlib.use("TkAgg")
    import matplotlib.pyplot as plt
    plt.rcParams["figure.figsize"] = (10, 8)
    plt.figure()
    plt.plot([1, 2])
    plt.show()
    def f(W, X, y, reg): return 1.0, W
    """)
    sandbox = sandboxed(source)
    sandbox.load()
    # Where it is installed it may refuse the screen that is not there, in words of its own.
    assert sandbox.crash is None or "headless" in sandbox.crash.message
