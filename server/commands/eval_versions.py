"""What a run of `whet eval` measures: the versions of model, adapter, server, code and data."""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import subprocess
from pathlib import Path

import httpx

from adaptation.evaluation.plan import Plan
from adaptation.evaluation.results import Header
from adaptation.evaluation.target import Target
from server.commands.eval_server import chosen
from server.config import Settings
from server.models.catalogue import BUILT_IN
from server.models.named import choose
from server.server_process import ROOT


async def header_of(
    plan: Plan, target: Target, settings: Settings, args: argparse.Namespace
) -> Header:
    return Header(
        model=target.model,
        url=args.url,
        model_version=_model_version(target.model, None if args.url else _folder(settings, args)),
        adapter=await _champion(target),
        server=await _server(target),
        code_version=(_code_version(),),
        data_version=plan.data_version(),
        seed=args.seed,
        questions=args.questions,
        levels=plan.levels,
        split=plan.split.name.lower(),
        examples=args.examples,
        worlds=args.worlds,
        temperature=args.temperature,
        votes=args.votes,
        max_tokens=args.max_tokens,
        parallel=args.parallel,
        settings=chosen(settings),
    )


def _folder(settings: Settings, args: argparse.Namespace) -> Path:
    """Where the weights of a server of our own lie, if they lie here."""
    return Path(choose(args.model or BUILT_IN, settings.data_dir).model).expanduser()


def _model_version(model: str, folder: Path | None) -> str:
    """Hash of the weights that lie here; of another model its name is all that is known."""
    weights = sorted(folder.glob("*.safetensors")) if folder else []
    if not weights:
        return model
    found = hashlib.sha256()
    for path in [*weights, *sorted(weights[0].parent.glob("tokenizer*.json"))]:
        with path.open("rb") as file:
            found.update(hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()[:12]


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
    """Return the version of what measures: the package's, and the commit of a checkout."""
    try:
        version = importlib.metadata.version("whet")
    except importlib.metadata.PackageNotFoundError:
        version = "checkout"
    if not (ROOT / ".git").exists():  # installed; another project's repository may lie above
        return version
    commit = _git("rev-parse", "--short", "HEAD").strip()
    changed = _git("diff", "HEAD") + _git("status", "--porcelain", "--untracked-files=normal")
    edited = f"-{hashlib.sha256(changed.encode()).hexdigest()[:7]}" if changed else ""
    return f"{version}+{commit}{edited}" if commit else version


def _git(*words: str) -> str:
    """What git says of this checkout; nothing where it fails."""
    command = ["git", "-C", str(ROOT), *words]
    try:
        found = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout if found.returncode == 0 else ""


def name_of(header: Header, difficulty: int | None) -> str:
    """A name that the same measurement finds again; suites and arms may be added to it."""
    kept = header.model_dump_json(exclude={"data_version", "levels"})
    model = "".join(c if c.isalnum() or c in "-." else "-" for c in header.model)
    return f"{model}-{hashlib.sha256(f'{kept}{difficulty}'.encode()).hexdigest()[:8]}"
