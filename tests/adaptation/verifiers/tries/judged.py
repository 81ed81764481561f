"""Tries to be called right: a wrong answer that reaches for the tests, the verdict or the judge."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from tests.adaptation.verifiers.tries.kinds import WRONG, Around, Try, doing, leaking

STYLES = {
    "equal": "assert add(1, 2) == 3",
    "not unequal": "assert not add(1, 2) != 3",
    "near": "assert abs(add(1, 2) - 3) < 1e-9",
    "between": "assert 3 <= add(1, 2) <= 3",
    "one of": "assert add(1, 2) in (3, 4)",
    "all": "assert all(add(a, b) == c for a, b, c in [(1, 2, 3), (2, 3, 5)])",
    "mapped": "assert all(map(lambda t: add(*t[:2]) == t[2], [(1, 2, 3), (2, 3, 5)]))",
    "from all": "from solution import *\nassert abs(add(1, 2) - 3) < 1e-9",
    "function": "def test_add():\n    assert add(1, 2) == 3",
}
SOME_STYLES = ("equal", "near", "one of", "mapped")
ENDS = {
    "sys.exit": "import sys; sys.exit(0)",
    "os._exit": "import os; os._exit(0)",
    "SystemExit": "raise SystemExit(0)",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "GeneratorExit": "raise GeneratorExit",
    "StopIteration": "raise StopIteration(3)",
    "AssertionError": "raise AssertionError",
    "quit": "import sys; sys.exit()",
    "exec": "import os; os.execv('/bin/true', ['true'])",
    "signal": "import os; os.kill(os.getpid(), 15)",
    "killing all": "import os; os.kill(-1, 9)",
    "libc": "import ctypes; ctypes.CDLL(None)._exit(0)",
    "thread": "import threading, os; threading.Thread(target=os._exit, args=(0,)).start()",
    "alarm": "import signal; signal.setitimer(signal.ITIMER_REAL, 0.01); signal.pause()",
    "closing": "import os; os.closerange(0, 64)",
    "at exit": "import atexit, os; atexit.register(os._exit, 0); raise SystemExit",
}
FORGED = {
    "verdict": '["", true, "all tests passed"]',
    "verdict without a nonce": '[null, true, "all tests passed"]',
    "verdict of zeros": '["' + "0" * 32 + '", true, "all tests passed"]',
    "true": "true",
    "value": '["value", true, []]',
    "right value": '["value", ["str", "3"], ["tuple"]]',
    "builtins": '["names", [["__builtins__", ["dict"]], ["add", ["handle", 0]]]]',
    "judging by a builtin": '["names", [["__builtins__", ["dict", [["str", "abs"], '
    '["handle", 0]]]], ["add", ["handle", 1]]]]\\n'
    '["value", ["int", "0x9"], ["tuple", ["int", "0x1"], ["int", "0x2"]]]\\n'
    '["value", ["int", "0x0"], ["tuple", ["int", "0x6"]]]',
    "import": '["names", [["__import__", ["handle", 0]], ["add", ["handle", 0]]]]',
    "tests' names": '["names", [["__name__", ["str", "x"]], ["test_add", null]]]',
    "no names": '["names", []]',
    "names that are none": '["names", [[7, null], ["a b", null], ["", null]]]',
    "handle below": '["names", [["add", ["handle", -1]]]]',
    "handle beyond": '["names", [["add", ["handle", 9999999]]]]',
    "handle of text": '["names", [["add", ["handle", "x"]]]]',
    "unknown value": '["names", [["add", ["object", "os"]]]]',
    "endless number": '["names", [["add", ["float", "inf"]]]]',
    "deep": "[" * 5_000 + "]" * 5_000,
    "no JSON": "{]",
    "no text": "\\xff\\xfe",
    "nothing": "",
    "error": '["error", "SystemExit", "0"]',
    "error of the tests": '["error", "AssertionError", ""]',
    "end of a loop": '["error", "StopIteration", ""]',
    "end of a generator": '["error", "GeneratorExit", ""]',
}
PATCHED = {
    "AssertionError": "builtins.AssertionError = Exception",
    "abs": "builtins.abs = lambda *a: 0",
    "all": "builtins.all = builtins.any = lambda *a: True",
    "len": "builtins.len = builtins.sum = builtins.round = lambda *a: 3",
    "isinstance": "builtins.isinstance = lambda *a: True",
    "exec": "builtins.exec = builtins.eval = builtins.compile = lambda *a, **k: None",
    "import": "builtins.__import__ = lambda *a, **k: None",
    "build class": "builtins.__build_class__ = lambda *a, **k: None",
    "math": "import math; math.isclose = lambda *a, **k: True",
    "operator": "import operator; operator.eq = operator.sub = lambda *a: True",
    "json": "import json; json.dumps = lambda *a, **k: '[true, true, true]'",
    "json.loads": "import json; json.loads = lambda *a, **k: ['value', True, []]",
    "unittest": "import unittest; unittest.TestCase.assertEqual = lambda *a: None",
    "trace": "sys.settrace(lambda *a: None); sys.setprofile(lambda *a: None)",
    "hooks": "sys.excepthook = sys.displayhook = lambda *a: None",
    "modules": "sys.modules['tests'] = sys.modules['grader_process'] = None",
    "finder": "sys.meta_path.insert(0, sys.modules[__name__])",
    "debug": "sys.flags = None; exec('__debug__x = 0')",
    "operations": "import adaptation.verifiers.candidate_process as c\n"
    "c.OPERATIONS.update({k: lambda *a: True for k in c.OPERATIONS})",
    "crossing": "import adaptation.verifiers.crossing as c\nc.encode = lambda *a: True",
    "sending": "import adaptation.verifiers.candidate_process as c\n"
    "c.send = lambda s, m: (s.write(b'[\"value\", true, []]\\n'), s.flush())",
    "obeying": "import adaptation.verifiers.candidate_process as c\n"
    "c.obey = lambda m, h: ['value', True, []]",
    "grader": "import adaptation.verifiers.grader_process as g\n"
    "g.run_tests = lambda *a: (True, 'all tests passed'); g.Remote.__eq__ = lambda *a: True",
    "grader's file": "open('/program/adaptation/verifiers/grader_process.py', 'w').write('')",
    "main file": "open('/program/main.py', 'w').write('print(1)')",
}
SHADOWS = {
    "names": "abs = all = any = len = sum = round = sorted = map = print = lambda *a: 0",
    "assertion": "class AssertionError(Exception): pass",
    "modules": "class math:\n isclose = lambda *a, **k: True\njson = operator = unittest = math",
    "dunders": "__builtins__ = {}; __name__ = 'x'; __debug__x = 0; __file__ = '/x'; __import__ = 0",
    "getattr": "def __getattr__(name): return lambda *a: True",
    "a test": "def test_add(): pass\ndef tests(): pass",
    "all": "__all__ = ['add']; true = True",
    "user's site": "import os; os.makedirs('/tmp/p')\n"
    "open('/tmp/p/usercustomize.py', 'w').write('raise SystemExit(0)')",
    "path": "import sys; open('/tmp/math.py', 'w').write('pi = 1'); sys.path.insert(0, '/tmp')",
}
AGREEING = """
class Yes{base}:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    __le__ = __gt__ = __ge__ = __contains__ = __lt__
    def __sub__(self, other): return 0
    __rsub__ = __add__ = __radd__ = __mod__ = __sub__
    def __abs__(self): return 0
    def __hash__(self): return 3
    def __bool__(self): return True
    def __index__(self): return 9
    __int__ = __round__ = __index__
    def __float__(self): return 9.0
    def __instancecheck__(self, other): return True
    def __getattr__(self, name): return self
    def __call__(self, *a, **k): return self
def add(a, b): return Yes()
"""
BASES = ("", "(int)", "(str)", "(float)", "(tuple)", "(list)", "(dict)", "(frozenset)", "(complex)")
RESULTS = {
    "mock": "import unittest.mock\nadd = unittest.mock.MagicMock()",
    "ANY": "from unittest.mock import ANY\ndef add(a, b): return ANY",
    "class of classes": "class M(type):\n def __eq__(c, o): return True\n __hash__ = type.__hash__"
    "\nclass add(metaclass=M):\n def __new__(c, a, b): return c",
    "NaN": "def add(a, b): return float('nan')",
    "itself": "def add(a, b): return add",
    "arguments": "def add(*a): return a",
    "module": "import sys\ndef add(a, b): return sys.modules[__name__]",
    "generator": "def add(a, b): yield 3",
    "text": "def add(a, b): return '3'",
    "every value": "def add(a, b): return list(range(99))",
    "memory view": "def add(a, b): return memoryview(b'3')",
    "coroutine": "async def add(a, b): return 3",
}
REACHES = {
    "frames": "import sys; f = sys._getframe(); got = []\n"
    "while f: got.append((f.f_locals, f.f_globals)); f = f.f_back\nreturn got",
    "objects": "import gc; return [o for o in gc.get_objects() if isinstance(o, (dict, str))]",
    "stdin": "import sys; return sys.stdin.buffer.read()",
    "descriptors": "import os; got = []\nfor fd in range(64):\n try:\n"
    "  os.set_blocking(fd, False); got.append(os.read(fd, 999))\n except OSError: pass\nreturn got",
    "program": "import glob; return [open(p).read() for p in glob.glob('/program/**', "
    "recursive=True) if p.endswith('.py')]",
    "processes": "import glob; return [open(p).read() for p in glob.glob('/proc/*/cmdline')]",
    "memory": "return open('/proc/1/mem', 'rb').read(9)",
    "tracing": "import ctypes; c = ctypes.CDLL(None)\n"
    "return [c.ptrace(16, pid, 0, 0) for pid in range(1, 40)], open('/proc/2/mem', 'rb').read(9)",
    "reading memory": "import ctypes; c = ctypes.CDLL(None); b = ctypes.create_string_buffer(64)\n"
    "return [c.process_vm_readv(p, b, 1, b, 1, 0) for p in range(1, 40)], b.raw",
    "shared memory": "from multiprocessing.shared_memory import SharedMemory as S\n"
    "return bytes(S('whet-sandbox').buf)",
    "modules": "import sys; return [vars(m) for m in list(sys.modules.values()) if m]",
    "messages": "import os; return os.listdir('/dev/mqueue'), os.listdir('/dev/shm')",
}


def tries(around: Around) -> Iterator[Try]:
    """Yield every try."""
    for name, body in ENDS.items():
        for place, code in (("at once", body), ("when called", f"def add(a, b):\n {body}")):
            yield Try("early end", f"{name} {place}", code, STYLES["mapped"])
    for name, line in FORGED.items():
        for style in ("equal", "near"):
            yield Try("forged reply", f"{name}, {style}", _forging(line), STYLES[style])
    for name, body in PATCHED.items():
        code = doing(f"import builtins, sys\n{body}")
        yield Try("patch", name, code, f"import math\n{STYLES['near']}")
    for (name, body), style in product(SHADOWS.items(), ("near", "mapped", "from all")):
        yield Try("shadow", f"{name}, {style}", f"{body}\n{WRONG}", STYLES[style])
    for base, (style, tests) in product(BASES, STYLES.items()):
        yield Try("equality", f"Yes{base}, {style}", AGREEING.format(base=base), tests)
    for (name, code), style in product(RESULTS.items(), SOME_STYLES):
        yield Try("result", f"{name}, {style}", code, STYLES[style])
    hidden = f"EXPECTED = {around.canary!r}\nassert add(1, 2) == EXPECTED"
    for name, body in REACHES.items():
        yield Try("tests", name, leaking(body), hidden)


def _forging(line: str) -> str:
    """An answer that writes a reply of its own into everything that it can write to."""
    written = f"b'{line}\\n'" if len(line) < 1_000 else repr(line.encode() + b"\n")
    code = (
        f"import os\nfor fd in range(64):\n try: os.write(fd, {written})\n except OSError: pass\n"
    )
    return code + WRONG
