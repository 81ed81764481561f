"""The house: dependencies run one way, and each heavy library has one door."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "server": {"server", "whet", "adaptation", "memory"},
    "whet": {"whet", "adaptation", "memory"},
    "adaptation": {"adaptation", "memory"},
    "memory": {"memory"},
}
TOP_LEVEL = {
    ".ci", ".dockerignore", ".gitignore", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md",
    "Dockerfile", "LICENSE", "MANIFEST.in", "Makefile", "README.md", "SECURITY.md", "adaptation",
    "deploy", "docs", "examples", "findings", "loadtests", "memory", "mkdocs.yml",
    "pyproject.toml", "server", "tests", "whet",
}  # fmt: skip


def modules_imported_by(path: Path) -> Iterator[str]:
    """Every absolute import in a file, those inside functions included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def importers(library: str) -> set[str]:
    """The files of our packages that import `library`."""
    return {
        str(path.relative_to(ROOT))
        for package in ALLOWED
        for path in sources(package)
        if any(name.split(".")[0] == library for name in modules_imported_by(path))
    }


@pytest.mark.parametrize("package", ALLOWED)
def test_dependencies_run_from_server_to_adaptation_to_memory(package: str) -> None:
    for path in sources(package):
        for name in modules_imported_by(path):
            top = name.split(".")[0]
            assert top not in ALLOWED or top in ALLOWED[package], f"{path} imports {name}"


def test_two_rooms_import_vllm() -> None:
    rooms = ("server/engine/", "server/gateway/")
    assert all(any(path.startswith(room) for path in importers("vllm")) for room in rooms)
    assert all(path.startswith(rooms) for path in importers("vllm"))


def test_one_module_imports_faiss() -> None:
    assert importers("faiss") == {"memory/index/faiss_index.py"}


def test_one_room_reads_gguf_files() -> None:
    assert importers("gguf")
    assert all(path.startswith("adaptation/conversion/") for path in importers("gguf"))


def test_one_room_imports_trl() -> None:
    assert importers("trl")
    assert all(path.startswith("adaptation/learning/preference/") for path in importers("trl"))


def test_torch_stays_with_training_and_the_embedder() -> None:
    allowed = (
        "adaptation/learning/",
        "adaptation/learning/training/",
        "adaptation/pebble/",
        "adaptation/rewards/scorer.py",
        "adaptation/rewards/worker.py",
        "memory/embedding/sentences.py",
        "server/doctor.py",
        "server/engine/cpu_lora.py",
    )
    assert all(path.startswith(allowed) for path in importers("torch"))


def brought(module: str, parts: tuple[str, ...]) -> list[str]:
    """Return which modules of `parts` are there once a module was imported."""
    import subprocess
    import sys

    code = f"import sys, {module}; print(*(n for n in sys.modules if n.startswith({parts!r})))"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return told.stdout.split()


def test_what_a_server_is_made_of_brings_no_evaluation_and_no_tuning() -> None:
    parts = (
        "adaptation.evaluation.suites",
        "adaptation.evaluation",
        "adaptation.learning.tuning",
        "adaptation.pebble.",
    )
    assert brought("server.policy", parts) == []


def test_a_distillation_waits_for_no_client_and_no_statistics() -> None:
    assert brought("server.jobs.kinds.distill", ("openai.", "scipy.stats", "torch")) == []


def test_the_packages_of_the_project_file_are_the_packages_there_are() -> None:
    import tomllib

    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for package in ALLOWED
        for path in (ROOT / package).rglob("__init__.py")
    }
    data_only = {"adaptation.pebble.weights"}
    assert set(listed) == found | data_only


def test_the_top_level_holds_what_it_should_and_nothing_else() -> None:
    import subprocess

    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert {name.split("/")[0] for name in tracked} <= TOP_LEVEL


WALL_CLOCK = {
    "server/erasure/eraser.py",
    "server/stored_responses.py",
    "adaptation/learning/adapter_cache.py",
    "server/telemetry/live.py",
    "server/telemetry/adapters_served.py",
    "server/routing.py",
    "server/batches/work.py",
    "server/batches/worker.py",
    "server/gateway/chunking.py",
    "server/gateway/response_form.py",
    "server/commands/memory_detached.py",
    "server/commands/scheduling.py",
    "server/jobs/estimate.py",
    "server/jobs/work.py",
    "server/finetuning/job.py",
    "server/jobs/runner.py",
    "server/routes/expiry.py",
    "server/tenancy/issuing.py",
    "server/tenancy/keyring.py",
}
"""Write moments down, or compare with such: of a key, a file, a batch, an adapter's last use."""


def test_deadlines_are_counted_by_a_clock_that_nobody_sets() -> None:
    using = {
        str(path.relative_to(ROOT))
        for package in ("adaptation", "server")
        for path in sources(package)
        if "time.time()" in path.read_text()
    }
    assert using == WALL_CLOCK


MOST_LINES = {"function": 40, "file": 300}
FROZEN = "memory/store/migrations/versions/"
"""Migrations are written once, and never again."""
LONGER = {"adaptation/learning/distillation/generation.py"}
"""Files that are longer; none is to come."""


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many lines a function's body has, without its docstring."""
    first = function.body[0]
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    body = function.body[1:] if is_docstring else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_no_function_is_longer_than_forty_lines() -> None:
    longer = {
        f"{path.relative_to(ROOT)}: {node.name}"
        for package in ALLOWED
        for path in sources(package)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and lines_of(node) > MOST_LINES["function"]
    }
    assert {each for each in longer if not each.startswith(FROZEN)} == set()


def test_no_file_is_longer_than_three_hundred_lines() -> None:
    longer = {
        str(path.relative_to(ROOT))
        for package in ALLOWED
        for path in sources(package)
        if len(path.read_text().splitlines()) > MOST_LINES["file"]
    }
    assert longer <= LONGER


def test_nothing_waits_by_what_may_forget_that_it_was_cancelled() -> None:
    """`asyncio.wait_for` of Python 3.11 does, where a result comes at once: a server then stays."""
    using = [
        str(path.relative_to(ROOT))
        for package in ("memory", "adaptation", "server")
        for path in sources(package)
        if "asyncio.wait_for(" in path.read_text()
    ]
    assert using == []
