"""The trials that a run of `whet tune` can go on from, a line each in a file of the data folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from adaptation.learning.tuning.search import Trial
from memory.store.data_folder import make_data_folder
from memory.types import Frozen

TRIALS = "tuning-trials.jsonl"


class KeptTrial(Frozen):
    """A line of the file of trials."""

    model: str
    questions: int
    """Questions of each task."""
    trial: Trial


def keep(data_dir: Path, model: str, questions: int, trial: Trial) -> None:
    """Add a trial to the file, so that the next run need not repeat it."""
    make_data_folder(data_dir)
    line = KeptTrial(model=model, questions=questions, trial=trial).model_dump_json()
    with (data_dir / TRIALS).open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def kept(data_dir: Path, model: str, questions: int) -> Iterator[Trial]:
    """Yield the trials of a model that earlier runs made; a line that was cut off is none."""
    path = data_dir / TRIALS
    for line in path.read_text("utf-8").splitlines() if path.is_file() else ():
        try:
            found = KeptTrial.model_validate_json(line)
        except ValidationError:
            continue
        if (found.model, found.questions) == (model, questions):
            yield found.trial
