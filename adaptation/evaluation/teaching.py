"""What learning arms learn from: solved examples in the memory of the server under evaluation.

They are filed under a task of this measurement's own, so that nothing else is ever touched by
taking them out again. The memory of a server that is not ours is left as it was found, even by a
run that was cut off and continued later.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from adaptation.evaluation.errors import EvaluationError
from adaptation.evaluation.examples import import_lines
from adaptation.evaluation.plan import World
from adaptation.evaluation.target import Target


@dataclass(frozen=True)
class Teacher:
    """Puts examples into a server's memory and takes them out again."""

    target: Target
    run: str
    """Names the measurement, and no other."""
    keep: bool = False
    """Leave them there: the server and its memory are thrown away anyway."""

    def task(self, world: World) -> str:
        """Where the memory files a world's examples."""
        return f"whet-eval/{self.run}/{world.suite.name}/{world.world}"

    @asynccontextmanager
    async def taught(self, worlds: Sequence[World]) -> AsyncIterator[None]:
        """Hold the examples of the worlds in the server's memory for the length of the block.

        Raises `EvaluationError` where some could not be taken out again.
        """
        try:
            for world in worlds:
                lines = import_lines(world.examples, self.task(world))
                await self.target.whet("POST", "/v1/memory/import", lines)
            yield
        finally:
            if not self.keep:
                await self._forget(worlds)

    async def _forget(self, worlds: Sequence[World]) -> None:
        left = []
        for world in worlds:
            try:
                await self._erase(self.task(world))
            except EvaluationError:
                left.append(self.task(world))
        if left:
            raise EvaluationError(
                f"examples may be left in the memory of {self.target.url}, under the tasks "
                f"{', '.join(left)}; the same command takes them out"
            )

    async def _erase(self, task: str) -> None:
        """Erase a task's records, page by page; erased ones stay listed as tombstones."""
        after = ""
        while True:
            path = f"/v1/memory/records?task={task}&limit=500{after}"
            page = await self.target.whet("GET", path)
            for record in page["data"]:
                if record["state"] != "erased":
                    await self.target.whet("DELETE", f"/v1/memory/records/{record['id']}")
            if not page["has_more"]:
                return
            after = f"&after={page['last_id']}"
