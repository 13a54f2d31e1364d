"""Files that hang, crash, fill and break things: each must end in a verdict, and nothing of it may be left."""

import signal

import numpy as np
import psutil
import pytest

from linprobe.learn.checker.outcome import Crash
from linprobe.learn.checker.sandbox.confine import LITTLE_MEMORY, NO_PROCESSES

ARGUMENTS = (np.arange(6.0).reshape(3, 2), np.ones((4, 3)), np.array([0, 1, 0, 1]), 0.5)
HEAD = "import ctypes, os, resource, signal, subprocess, sys, threading, time\nimport numpy as np\n"


@pytest.fixture
def ended(sandboxed):
    """How a call of f, with this body, ends; where its process lives on, a good function still gives its answer."""

    def call(body, seconds=30.0):
        lines = "\n    ".join(body.strip("\n").split("\n"))
        good = "def good(W, X, y, reg):\n    return 2.5, W\n"
        sandbox = sandboxed(f"{HEAD}\n{good}\ndef f(W, X, y, reg):\n    {lines}\n")
        assert sandbox.load() == ["good", "f"]
        sandbox.seconds = seconds
        outcome = sandbox.function("f")(*ARGUMENTS)
        call.output = sandbox.output
        if sandbox._process is not None:
            sandbox.seconds = 30.0
            assert works(sandbox) or works(sandbox)  # what it runs in may have been broken for good, and is replaced
        return outcome

    return call


def works(sandbox):
    outcome = sandbox.function("good")(*ARGUMENTS)
    return outcome.loss == 2.5 and np.array_equal(outcome.gradient, ARGUMENTS[0])


HANGS = {
    "a loop": "while True: pass",
    "a loop that catches errors": "while True:\n    try: time.sleep(1)\n    except: pass",
    "a loop that catches everything": "while True:\n    try: raise SystemExit\n    except BaseException: continue",
    "sleep": "time.sleep(10**6)",
    "a loop in C": "return sum(iter(int, 1)), W",
    "a lock": "threading.Lock().acquire() and (lock := threading.Lock()).acquire() and lock.acquire()",
    "stopping itself": "os.kill(os.getpid(), signal.SIGSTOP)",
    "ignored signals": "for n in {*range(1, 32)} - {9, 19}: signal.signal(n, signal.SIG_IGN)\nwhile True: pass",
    "printing": "while True: print('loss', reg)",
    "printing without lines": "while True: sys.stdout.write('x' * 10**6)",
    "printing behind our back": "while True: os.write(2, b'x' * 10**6)",
}  # fmt: skip


@pytest.mark.sampled(4)
@pytest.mark.parametrize("body", HANGS.values(), ids=HANGS)
def test_a_call_that_does_not_end_is_ended(ended, body):
    assert ended(body, seconds=0.25).crash == Crash("timeout", "0.25")
    assert len(ended.output) < 2_100


ENDS = {
    "sys.exit": ("sys.exit(3)", Crash("SystemExit", "sys.exit(3)", 8, "sys.exit(3)")),
    "quit": ("quit()", Crash("SystemExit", "sys.exit()", 8, "quit()")),
    "os._exit(0)": ("os._exit(0)", Crash("exit", "os._exit(0)")),
    "os._exit(70)": ("os._exit(5)", Crash("exit", "os._exit(5)")),
    "an interrupt": ("raise KeyboardInterrupt", Crash("KeyboardInterrupt", "", 8, "raise KeyboardInterrupt")),
    "an interrupt of the main thread": ("import _thread\n_thread.interrupt_main()\ntime.sleep(1)", None),
    "a wild pointer": ("ctypes.string_at(0)", Crash("signal", "SIGSEGV")),
    "abort": ("os.abort()", Crash("signal", "SIGABRT")),
    "an alarm": ("signal.setitimer(signal.ITIMER_REAL, 0.05)\nwhile True: pass", Crash("signal", "SIGALRM")),
    "killing itself": ("os.kill(os.getpid(), signal.SIGKILL)", Crash("signal", "SIGKILL")),
    "closing everything": ("os.closerange(0, 256)\nreturn 1.0, W", None),
    "answering elsewhere": ("for n in range(256): os.dup2(os.open(os.devnull, os.O_RDWR), n)\ntime.sleep(10**6)", None),
    "closing all but the output": ("for n in range(3, 256): os.dup2(0, n)\nos._exit(1)", None),
    "input": ("input()", Crash("EOFError", "EOF when reading a line", 8, "input()")),
    "recursion": ("f(W, X, y, reg)", Crash("RecursionError", "maximum recursion depth exceeded", 8, "f(W, X, y, reg)")),
}  # fmt: skip


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("body", "crash"), ENDS.values(), ids=ENDS)
def test_a_call_that_ends_the_process_is_told_how(ended, body, crash):
    found = ended(body).crash
    assert found is not None
    if crash is None:
        assert found.kind in {"exit", "signal", "KeyboardInterrupt"}
    else:
        assert (found.kind, found.line, found.text) == (crash.kind, crash.line, crash.text)
        assert found.message.startswith(crash.message)


ANSWERS = {
    "noise": rb"b'\xff' * 1000",
    "a length": rb"b'\x02\x00\x00\x00{}'",
    "a message of another kind": rb"""b'\x1e\x00\x00\x00{"message": {}, "arrays": []}  '""",
    "an object": rb"""b'\x28\x00\x00\x00{"message": {}, "arrays": [["|O", [1]]]}'""",
    "a terabyte": rb"""b'\x31\x00\x00\x00{"message": {}, "arrays": [["<f8", [137438953472]]]}'""",
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("answer", [text.decode() for text in ANSWERS.values()], ids=ANSWERS)
def test_an_answer_that_is_none_of_ours_is_not_believed(ended, answer):
    body = f"for n in range(3, 256):\n    try: os.write(n, {answer})\n    except OSError: pass\nreturn 1.0, W"
    assert ended(body).crash == Crash("signal", "what it answers cannot be read")


def test_memory_is_limited(ended, needs):
    needs(LITTLE_MEMORY)
    crash = ended("return 1.0, np.ones(10**11 // 8)").crash
    assert crash is not None
    assert (crash.kind, crash.line) == ("memory", 8)
    crash = ended("kept = []\nwhile True: kept.append(np.empty(2**22))").crash
    assert crash is not None
    assert (crash.kind, crash.line) == ("memory", 9)
    body = "global a\na = []\nwhile True:\n    try: a.append(np.empty(2**17))\n    except MemoryError: return 1.0, W"
    crash = ended(body).crash  # the memory is left full
    assert crash is None or crash.kind == "memory"


# As bombs they would take the machine with them wherever a protection failed: each stops after fifty.
FORKS = {
    "fork": "for _ in range(50): os.fork() or time.sleep(1000)",
    "fork that catches errors": """for _ in range(50):
    try: os.fork() or time.sleep(1000)
    except OSError: pass
while True: pass""",
    "subprocess": "for _ in range(50): subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])",
    "multiprocessing": "import multiprocessing\nmultiprocessing.Pool(50)",
    "a shell": "os.system('sleep 1000 & sleep 1000 &')\nreturn 1.0, W",
    "threads": "while True: threading.Thread(target=time.sleep, args=(1000,)).start()",
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("body", FORKS.values(), ids=FORKS)
def test_no_process_is_left_of_a_bomb(ended, needs, working_in_scratch, body):
    needs(NO_PROCESSES)

    def children():
        return [one.pid for one in psutil.Process().children(recursive=True)]

    others = set(children()) - set(working_in_scratch())  # of other tests, such as a cluster's
    crash = ended(body, seconds=0.5).crash
    assert crash is None or crash.kind in {"PermissionError", "timeout", "RuntimeError", "memory", "signal"}
    assert working_in_scratch() == [pid for pid in children() if pid not in others]


@pytest.mark.slow
def test_a_scratch_folder_that_fills_up_ends_the_call(ended):
    body = "for i in range(10**6):\n    with open(str(i), 'wb') as file: file.write(bytes(2**23))\n    time.sleep(0.02)"
    crash = Crash("signal", "it filled its scratch folder")
    assert ended(body).crash == crash
    assert ended("for i in range(10**6): os.mkdir('d'); os.chdir('d')").crash == crash
    assert ended("for i in range(10**6): open(str(i), 'w').close()").crash == crash


SABOTAGE = {
    "settings of NumPy": "np.seterr(all='raise')\nnp.set_printoptions(precision=1)\nreturn 2.5, W",
    "NumPy itself": "for name in dir(np):\n    try: setattr(np, name, None)\n    except Exception: pass\nreturn 2.5, W",
    "builtins": "import builtins\nfor name in dir(builtins): setattr(builtins, name, None)\nreturn 2.5, W",
    "modules": "sys.modules.clear()\nreturn 2.5, W",
    "our modules": "for n, m in list(sys.modules.items()): 'linprobe' in n and vars(m).clear()\nreturn 2.5, W",
    "a tracer": "sys.settrace(lambda *_: 1 / 0)\nthreading.settrace(print)\nreturn 2.5, W",
    "the recursion limit": "sys.setrecursionlimit(10**9)\ndef deep(_): return sorted([1], key=deep)\nreturn deep(0), W",
    "a low recursion limit": "sys.setrecursionlimit(len(__import__('inspect').stack()) + 5)\nreturn 2.5, W",
    "an exit handler": "import atexit\natexit.register(time.sleep, 1000)\nreturn 2.5, W",
    "a thread": "threading.Thread(target=time.sleep, args=(1000,)).start()\nreturn 2.5, W",
    "a handler of signals": "signal.signal(14, lambda *_: 1 / 0)\nsignal.setitimer(0, 0.01, 0.01)\nreturn 2.5, W",
    "another folder": "os.chdir('/')\nreturn 2.5, W",
    "no folder": "os.rmdir(os.getcwd())\nreturn 2.5, W",
    "closed output": "sys.stdout.close()\nos.close(2)\nreturn 2.5, W",
    "another output": "sys.stdout = sys.stderr = None\nreturn 2.5, W",
    "a finaliser": "class Bomb:\n    def __del__(self): raise SystemExit\nBomb()\nreturn 2.5, W",
}  # fmt: skip


@pytest.mark.sampled(4)
@pytest.mark.parametrize("body", SABOTAGE.values(), ids=SABOTAGE)
def test_sabotage_of_its_own_process_is_its_own_loss(ended, body):
    before = np.geterr(), signal.getsignal(signal.SIGALRM)
    outcome = ended(body)
    assert (np.geterr(), signal.getsignal(signal.SIGALRM)) == before
    assert outcome.crash or outcome.returned or outcome.loss == 2.5


RETURNS = {
    "a huge array": ("2.5, np.broadcast_to(0.0, 10**9)", "a pair whose second part is an array of shape (1000000000,)"),
    "many axes": ("2.5, np.zeros((1,) * 40)", f"a pair whose second part is an array of shape {(1,) * 40}"),
    "objects": ("2.5, np.array([object()])", "a pair whose second part is an array of object of shape (1,)"),
    "an endless iterator": ("iter(int, 1)", "a callable_iterator"),
    "a class with a long name": ("type('\\x1b' + 'x' * 10**6, (), {})()", "something of its own making"),
    "not a number": ("float('nan'), W * np.inf", ""),
    "very large integers": ("10**5000, W", "a pair whose first part is an int"),
    "more than its file": ("2.5, W, __builtins__", "a tuple of 3"),
}  # fmt: skip


@pytest.mark.parametrize(("value", "words"), RETURNS.values(), ids=RETURNS)
def test_whatever_is_returned_is_described(ended, value, words):
    outcome = ended(f"return {value}")
    assert outcome.crash is None
    assert outcome.returned == words


IMPORTS = {
    "sys.exit": ("import sys\nsys.exit('bye')", Crash("SystemExit", "sys.exit('bye')", 2, "sys.exit('bye')")),
    "os._exit": ("import os\nos._exit(0)", Crash("exit", "os._exit(0)")),
    "a wild pointer": ("import ctypes\nctypes.string_at(0)", Crash("signal", "SIGSEGV")),
    "an interrupt": ("raise KeyboardInterrupt", Crash("KeyboardInterrupt", "", 1, "raise KeyboardInterrupt")),
    "input": ("name = input('name?')", Crash("EOFError", "EOF when reading a line", 1, "name = input('name?')")),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("source", "crash"), IMPORTS.values(), ids=IMPORTS)
def test_an_import_that_ends_badly_is_told(sandboxed, source, crash):
    sandbox = sandboxed(source)
    assert sandbox.load() is None
    assert sandbox.crash == crash
    assert sandbox.function("f")(*ARGUMENTS).crash == crash


@pytest.mark.parametrize("body", ["pass", "\n    try: raise SystemExit\n    except BaseException: pass"])
def test_an_import_that_does_not_end_is_ended(sandboxed, body):
    sandbox = sandboxed(f"while True: {body}", seconds=0.25)
    assert sandbox.load() is None
    assert sandbox.crash == Crash("timeout", "0.25")
    assert sandbox.function("f")(*ARGUMENTS).crash == sandbox.crash


def test_names_by_the_thousand_are_not_told(sandboxed):
    sandbox = sandboxed("def f(): pass\nfor i in range(10**5): globals()[f'f{i}'] = lambda: None\n")
    assert sandbox.load() == ["f"]


FORGED = """
import json, os, struct

SAID = "what was read elsewhere"
message = {
    "names": ["f", SAID, "smu" "ggled", "f"], "missing": {SAID: 1, "np": 10**400}, "libraries": [SAID],
    "notes": [SAID, SAID + " is not installed: its calls do nothing.",
              "smu" "ggled is not installed: its calls do nothing."],
    "crash": CRASH,
}
header = json.dumps({"message": message, "arrays": []}).encode()
for fd in range(3, 64):
    try: os.write(fd, struct.pack("<I", len(header)) + header)
    except OSError: pass
def f(W, X, y, reg): pass
"""


def test_a_forged_answer_carries_no_text(sandboxed):
    sandbox = sandboxed(FORGED.replace("CRASH", "None"))
    assert sandbox.load() == ["f"]
    told = repr((sandbox.notes, sandbox.missing, sandbox.libraries))
    assert "elsewhere" not in told
    assert "smuggled" not in told


@pytest.mark.parametrize("kind", ["timeout", "exit", "signal"])
def test_how_it_ended_is_not_its_to_say(sandboxed, kind):
    sandbox = sandboxed(FORGED.replace("CRASH", f"dict(kind={kind!r}, message=SAID)"))
    assert sandbox.load() is None
    assert sandbox.crash == Crash("signal", "what it answers cannot be read")


def test_a_forged_error_has_the_text_of_its_line_and_a_known_name(sandboxed):
    crash = "dict(kind=SAID, message=SAID, line=4, text=SAID)"
    sandbox = sandboxed(FORGED.replace("CRASH", crash))
    assert sandbox.load() is None
    said = "what was read elsewhere"
    assert sandbox.crash == Crash("Exception", said, 4, f'SAID = "{said}"')
    assert sandbox.crash.words == f"Exception (its own words: “{said}”)"
