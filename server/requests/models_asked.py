"""Which models a tenant may ask for by name: the base, its own, and the adapters that vLLM has.

The one predicate, for requests and for what asks later in a tenant's name: evaluations and graders.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

from adaptation.options import Strategy
from memory.memory import LongTermMemory
from memory.versions.model_names import is_model_name
from server.adapters.versioned import Generations, is_own_name
from server.refusals.errors import unknown_model
from server.requests.request_options import split_model


class ModelsAsked:
    """Tells the models that there are from those that there are not."""

    def __init__(
        self,
        is_base: Callable[[str], bool],
        has_own: Callable[[str, str], Awaitable[bool]],
        has_adapter: Callable[[str], Awaitable[bool]],
    ) -> None:
        """`is_base` tells whether a name is the base's, `has_own` whether a fine-tuned model, or a
        generation, is the tenant's, `has_adapter` whether vLLM was given an adapter of a name.
        """
        self.is_base, self.has_own, self._has_adapter = is_base, has_own, has_adapter

    def refuse_unknown_strategy(self, model: object, param: str = "model") -> None:
        """Tell the strategies where one is appended to the base's name that is none of them."""
        if not isinstance(model, str) or self.is_base(model):
            return
        base, _, suffix = model.rpartition(":")
        if suffix not in set(Strategy) and self.is_base(base):
            why = f"`{suffix}` is no strategy: use {', '.join(Strategy)}"
            raise unknown_model(model, why, param)

    async def require(self, tenant: str, named: Iterable[tuple[str, str]]) -> None:
        """Raise `ApiError` (404) for a model that a chat of the tenant's would not find.

        `named` are names, each with the field that it stands in.
        """
        fields = dict[str, str]()
        for model, param in named:
            fields.setdefault(model, param)
        for model, param in fields.items():
            self.refuse_unknown_strategy(model, param)
            if not await self._has(tenant, split_model(model)[0]):
                raise unknown_model(model, param=param)

    async def _has(self, tenant: str, name: str) -> bool:
        if self.is_base(name):  # it may end as a generation's does
            return True
        if is_own_name(name):
            return await self.has_own(tenant, name)
        return await self._has_adapter(name)


def models_asked(memory: LongTermMemory, generations: Generations, state: Any) -> ModelsAsked:
    """Return those of a server; `state` is that of vLLM's application."""

    async def has_adapter(name: str) -> bool:
        return bool(await state.openai_serving_chat.has(name))

    is_base = frozenset(generations.names).__contains__
    return ModelsAsked(is_base, partial(_has_own, memory, generations), has_adapter)


async def _has_own(
    memory: LongTermMemory, generations: Generations, tenant: str, model: str
) -> bool:
    find = memory.models.find if is_model_name(model) else generations.find
    return await memory.aside.reading.run(find, tenant, model) is not None
