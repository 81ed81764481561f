"""What was found of a generation's pieces, kept for whoever goes on after this process.

A piece's name is the digest of all that its outcome depends on: the base, the adapter's own bytes,
the conversations, how they are asked. So nothing is found that would have come to something else,
and what was taken of another number of workers is only not found.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from adaptation.learning.training.adapter_files import CONFIG, WEIGHTS
from adaptation.learning.training.trainer import TrainingJob, TrainingResult
from memory.store.durable import write_durably
from memory.text import digest

T = TypeVar("T")
RESULT: TypeAdapter[TrainingResult] = TypeAdapter(TrainingResult)


class Pieces:
    """A folder of outcomes; without a folder nothing is kept, and nothing found."""

    def __init__(self, folder: Path | None, base: Sequence[str] = ()) -> None:
        """`base` says what answers: the model, and how its prompts are written."""
        self._folder, self._base = folder, list(base)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    async def named(self, adapter: str | None, *said: object) -> str:
        """Return the name of what is asked under an adapter, from what is `said` of it as JSON."""
        bytes_of = await asyncio.to_thread(_digest_of, adapter) if adapter else None
        return digest([self._base, bytes_of, *said])

    async def found(self, name: str, kind: TypeAdapter[T]) -> T | None:
        """Return an outcome, None where there is none, or a damaged one."""
        if self._folder is None:
            return None
        try:
            return kind.validate_json(await asyncio.to_thread(self._path(name).read_bytes))
        except (OSError, ValidationError):
            return None

    async def keep(self, name: str, kind: TypeAdapter[T], outcome: T) -> None:
        """Keep an outcome."""
        if self._folder is not None:
            path = self._path(name)
            await asyncio.to_thread(write_durably, path, kind.dump_json(outcome))

    async def trained(self, name: str, job: TrainingJob) -> TrainingResult | None:
        """Put a training's adapter where the job wants it, and return what was measured."""
        result = await self.found(name, RESULT)
        if result is None or not await asyncio.to_thread(self._take, name, job.output_dir):
            return None
        return result.model_copy(update={"path": job.output_dir})

    async def keep_trained(self, name: str, result: TrainingResult) -> None:
        """Keep a training's adapter, and what was measured: last, as it is looked for first."""
        if self._folder is not None:
            await asyncio.to_thread(self._give, name, result.path)
            await self.keep(name, RESULT, result)

    def _path(self, name: str, of: str = "json") -> Path:
        assert self._folder is not None
        return self._folder / f"{name}.{of}"

    def _give(self, name: str, folder: str) -> None:
        for file in (CONFIG, WEIGHTS):
            write_durably(self._path(name, file), Path(folder, file).read_bytes())

    def _take(self, name: str, folder: str) -> bool:
        try:
            for file in (CONFIG, WEIGHTS):
                Path(folder, file).write_bytes(self._path(name, file).read_bytes())
        except OSError:
            return False
        return True


def _digest_of(adapter: str) -> str:
    """Return the SHA-256 of an adapter's files, in hex."""
    said = (Path(adapter, name).read_bytes() for name in (CONFIG, WEIGHTS))
    return sha256(b"".join(sha256(each).digest() for each in said)).hexdigest()
