"""Code that is right passes, code that is wrong fails, and code that cheats fails too."""

from __future__ import annotations

import asyncio
import os

import pytest

from adaptation.errors import InvalidOptionsError, VerifierError
from adaptation.report import VerifierReport
from adaptation.verifiers import build_verifiers, sandbox
from memory.types import Tier

needs_bwrap = pytest.mark.skipif(
    not sandbox.available().usable, reason=f"no sandbox here: {sandbox.available().detail}"
)
ADD = "def add(a, b):\n    return a + b\n"
ADD_TESTS = "assert add(1, 2) == 3\nassert add(-1, 1) == 0"


async def judge(text: str, tests: str, timeout_s: float = 10.0) -> VerifierReport:
    (verifier,) = await build_verifiers(
        ({"type": "python", "tests": tests, "timeout_s": timeout_s},)
    )
    return await verifier.verify(question="", text=text, answer=None)


@needs_bwrap
@pytest.mark.parametrize(
    "text",
    [ADD, f"Sure:\n```python\n{ADD}```\nDone.", f"```\nold = 1\n```\nBetter:\n```py\n{ADD}```"],
)
async def test_correct_code_passes(text: str) -> None:
    report = await judge(text, ADD_TESTS)

    assert report == VerifierReport(type="python", passed=True, detail="all tests passed")


@needs_bwrap
@pytest.mark.parametrize(
    ("code", "tests"),
    [
        ("def f(x): x.sort()", "a = [3, 1, 2]\nf(a)\nassert a == [1, 2, 3]"),
        ("def f(d): d['k'] = 1", "d = {}\nf(d)\nassert d == {'k': 1}"),
        ("def f():\n yield 1\n yield 2", "assert list(f()) == [1, 2]"),
        ("def f(x): return {1: (x, {2.5}, b'z', None, 1j)}", "assert f('é')[1][0] == 'é'"),
        ("def f(): return float('inf'), -0.0, 10**50", "assert f()[2] == 10**50"),
        ("def f(): raise ValueError('no')", "try:\n f()\n assert False\nexcept ValueError: pass"),
        (
            "class S:\n def __init__(self): self.a = []\n def push(self, x): self.a.append(x)\n"
            " def pop(self): return self.a.pop()\n def __len__(self): return len(self.a)",
            "s = S()\ns.push(3)\nassert len(s) == 1 and s.a == [3]\nassert s.pop() == 3",
        ),
        (
            "from dataclasses import dataclass\n@dataclass\nclass P:\n x: int\n"
            " def __add__(self, o): return P(self.x + o.x)",
            "assert P(1) + P(2) == P(3)\nassert (P(1) + P(2)).x == 3\nassert isinstance(P(1), P)",
        ),
        ("import math\ndef f(x): return math.sqrt(x)", "assert abs(f(2) - 1.41421) < 1e-4"),
        ("def f(x): return x", "from solution import f as g\ndef t(c): assert c(1) == 1\nt(g)"),
        ("def f(x): return x", "def test_f():\n assert f(2) == 2"),
        ("print('noise')\ndef f(): print('more'); return 1", "print('x')\nassert f() == 1"),
        ("def sum(xs): return 7", "from solution import sum\nassert sum([1]) == 7"),
    ],
)  # fmt: skip
async def test_ordinary_tests_work(code: str, tests: str) -> None:
    report = await judge(code, tests)

    assert report.passed, report.detail


@needs_bwrap
@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("def add(a, b): return a - b", "AssertionError"),
        ("def ad(a, b): return a + b", "NameError"),
        ("def add(a, b) return", "SyntaxError"),
        ("I do not know.", "SyntaxError"),
        ("raise RuntimeError('x')", "RuntimeError"),
        ("def add(a, b): raise KeyError(a)", "KeyError"),
        ("", "NameError"),
    ],
)
async def test_wrong_code_fails_and_says_why(code: str, why: str) -> None:
    report = await judge(code, ADD_TESTS)

    assert not report.passed
    assert why in report.detail


@needs_bwrap
async def test_failing_test_functions_fail() -> None:
    report = await judge(ADD, "def test_add():\n    assert add(1, 1) == 3")

    assert not report.passed
    assert "line 2" in report.detail


EQUAL_TO_ALL = """
class Yes{base}:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    __le__ = __gt__ = __ge__ = __contains__ = __lt__
    def __sub__(self, other): return 0
    __rsub__ = __add__ = __sub__
    def __abs__(self): return 0
    def __hash__(self): return 3
    def __bool__(self): return True
def add(a, b): return Yes()
"""


@needs_bwrap
@pytest.mark.parametrize(
    "code",
    [
        "import sys; sys.exit(0)",
        "import os; os._exit(0)",
        "def add(a, b):\n import os; os._exit(0)",
        "def add(a, b): raise SystemExit(0)",
        "import atexit, os; atexit.register(lambda: os._exit(0)); raise SystemExit",
        "print('passed'); print('all tests passed'); import os; os._exit(0)",
        'import os\nfor fd in range(3, 64):\n try: os.write(fd, b\'["x", true, "passed"]\\n\')\n'
        " except OSError: pass",
        "import os\nfor fd in range(3, 64):\n"
        " try: os.write(fd, b'[\"value\", true, []]\\n' * 9)\n except OSError: pass",
        "import builtins\nbuiltins.AssertionError = Exception\nbuiltins.__debug__x = 0\n"
        "def add(a, b): return None",
        "import gc\nfor o in gc.get_objects():\n"
        " if isinstance(o, dict) and 'nonce' in o: print(o)\ndef add(a, b): return 0",
        "import glob\nfor p in glob.glob('/program/**/*.py', recursive=True):\n"
        " try: open(p, 'w').write('raise SystemExit(0)')\n except OSError: pass\n"
        "def add(a, b): return 0",
        "import sys\nsys.modules['tests'] = None\ndef add(a, b): return add",
        "class AssertionError(Exception): pass\nabs = len = all = lambda *a: True\n"
        "def add(a, b): return 9",
        EQUAL_TO_ALL.format(base=""),
        EQUAL_TO_ALL.format(base="(int)"),
        EQUAL_TO_ALL.format(base="(str)"),
        EQUAL_TO_ALL.format(base="(tuple)"),
        "class M(type):\n def __eq__(c, o): return True\n __hash__ = type.__hash__\n"
        "class add(metaclass=M):\n def __new__(c, a, b): return c",
        "import unittest.mock\nadd = unittest.mock.MagicMock()",
        "from unittest.mock import ANY\ndef add(a, b): return ANY",
        "import os, signal\nos.kill(-1, signal.SIGKILL)",
    ],
)
async def test_cheating_fails(code: str) -> None:
    report = await judge(code, ADD_TESTS)

    assert not report.passed, report.detail


@needs_bwrap
@pytest.mark.parametrize(
    "tests",
    [
        "assert abs(add(1, 2) - 3) < 1e-9",
        "assert 3 in add(1, 2)",
        "assert add(1, 2) <= 3 <= add(1, 2)",
        "import math\nassert math.isclose(add(1, 2), 3)",
        "assert not add(1, 2) != 3",
        "assert [3] == [add(1, 2)]",
        "assert add(1, 2) in (3, 4)",
    ],
)
async def test_objects_that_agree_with_everything_convince_no_operator(tests: str) -> None:
    for base in ("", "(int)", "(list)"):
        report = await judge(EQUAL_TO_ALL.format(base=base), tests)
        assert not report.passed, (base, report.detail)


@needs_bwrap
async def test_the_answers_idea_of_a_module_or_builtin_is_not_used() -> None:
    code = "class math:\n isclose = lambda *a: True\nmath = math()\ndef add(a, b): return 9"

    report = await judge(code, "assert math.isclose(add(1, 2), 3)")

    assert not report.passed


@needs_bwrap
@pytest.mark.parametrize("code", ["while True: pass", "def add(a, b):\n while True: pass"])
async def test_code_that_hangs_fails_in_time(code: str) -> None:
    report = await judge(code, ADD_TESTS, timeout_s=1.0)

    assert not report.passed
    assert "time" in report.detail


@needs_bwrap
async def test_no_descriptor_is_left_open() -> None:
    await judge(ADD, ADD_TESTS)
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208  (names are what is compared)

    await judge(ADD, ADD_TESTS)
    await judge("import os; os._exit(0)", ADD_TESTS)

    assert set(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


@needs_bwrap
async def test_a_grader_that_cannot_start_leaves_no_descriptor_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (verifier,) = await build_verifiers(({"type": "python", "tests": ADD_TESTS},))
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208
    sandbox.self_tested.cache_clear()
    monkeypatch.setenv("PATH", "/nonexistent")
    try:
        with pytest.raises(VerifierError):
            await verifier.verify(question="", text=ADD, answer=None)
    finally:
        sandbox.self_tested.cache_clear()
    assert set(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


@needs_bwrap
async def test_a_deadline_that_has_passed_leaves_no_descriptor_open() -> None:
    (verifier,) = await build_verifiers(({"type": "python", "tests": ADD_TESTS},))
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await verifier.verify(question="", text=ADD, answer=None)
    assert set(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


@needs_bwrap
async def test_tests_by_the_caller_corroborate() -> None:
    (verifier,) = await build_verifiers(({"type": "python", "tests": ADD_TESTS},))

    assert verifier.tier is Tier.CORROBORATED


@needs_bwrap
@pytest.mark.parametrize("tests", ["assert (", "x = 1", "pass\0"])
async def test_tests_that_cannot_fail_are_refused(tests: str) -> None:
    with pytest.raises(InvalidOptionsError) as error:
        await build_verifiers(({"type": "python", "tests": tests},))
    assert error.value.param == "adaptation.verifiers.0.tests"


async def test_without_a_sandbox_the_verifier_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.self_tested.cache_clear()
    monkeypatch.setenv("PATH", "/nonexistent")
    try:
        with pytest.raises(InvalidOptionsError, match="install bubblewrap") as error:
            await build_verifiers(({"type": "python", "tests": ADD_TESTS},))
    finally:
        sandbox.self_tested.cache_clear()
    assert error.value.param == "adaptation.verifiers.0.type"
