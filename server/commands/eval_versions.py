"""What a run of `whet eval` measures: the versions of model, adapter, server, code and data."""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import subprocess

import httpx

from adaptation.evaluation.plan import Plan
from adaptation.evaluation.results import Header
from adaptation.evaluation.target import Target
from adaptation.pebble import model_path
from server.engine_defaults import BUILT_IN
from server.server_process import ROOT


async def header_of(plan: Plan, target: Target, args: argparse.Namespace) -> Header:
    return Header(
        model=target.model,
        url=args.url,
        model_version=_model_version(target.model, own=args.url is None),
        adapter=await _champion(target),
        server=await _server(target),
        code_version=(_code_version(),),
        data_version=plan.data_version(),
        seed=args.seed,
        questions=args.questions,
        levels={world.suite.name: world.level for world in plan.worlds},
        split=plan.split.name.lower(),
        examples=args.examples,
        worlds=args.worlds,
        temperature=args.temperature,
        votes=args.votes,
        max_tokens=args.max_tokens,
        parallel=args.parallel,
    )


def _model_version(model: str, *, own: bool) -> str:
    """Hash of the built-in weights; of another model its name is all that is known."""
    if not own or model != BUILT_IN:
        return model
    weights = sorted(model_path().glob("*.safetensors"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in weights)).hexdigest()[:12]


async def _champion(target: Target) -> str | None:
    if not target.is_whet:
        return None
    versions = (await target.whet("GET", "/v1/adapters"))["data"]
    return next((v["id"] for v in versions if "champion" in v["aliases"]), None)


async def _server(target: Target) -> str:
    """What answers: Whet or not, and the engine's version where it says so."""
    try:
        async with httpx.AsyncClient(timeout=10) as client:
            engine = (await client.get(f"{target.url}/version")).json()["version"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        engine = "of unknown version"
    return f"{'whet on vllm' if target.is_whet else 'server'} {engine}"


def _code_version() -> str:
    """Of this ruler: the package's version, and the commit of a checkout."""
    try:
        version = importlib.metadata.version("whet")
    except importlib.metadata.PackageNotFoundError:
        version = "checkout"
    if not (ROOT / ".git").exists():  # installed; another project's repository may lie above
        return version
    words = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    try:
        found = subprocess.run(words, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return version
    commit = found.stdout.strip()
    return f"{version}+{commit}" if found.returncode == 0 and commit else version


def name_of(header: Header, difficulty: int | None) -> str:
    """A name that the same measurement finds again; suites and arms may be added to it."""
    kept = header.model_dump_json(exclude={"data_version", "levels"})
    model = "".join(c if c.isalnum() or c in "-." else "-" for c in header.model)
    return f"{model}-{hashlib.sha256(f'{kept}{difficulty}'.encode()).hexdigest()[:8]}"
