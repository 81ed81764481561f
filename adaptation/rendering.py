"""What the server renders of a training: the trainer compares it with its own rendering."""

from __future__ import annotations

from collections.abc import Sequence

from adaptation.conversation import Conversation
from adaptation.engine import Engine
from adaptation.errors import EngineError, TrainerError
from adaptation.learning.training.trainer import Served
from adaptation.types import Query


async def served(query: Query, learned: Sequence[Conversation], engine: Engine) -> Served:
    """Return the prompt as the engine has it: an adapter trained on another would not fit.

    Raises `TrainerError` where there is nothing to compare.
    """
    ids = engine.prompt_ids(query)
    if ids is None:
        raise TrainerError("the prompt holds more than tokens, which is all that is learned from")
    prompts = [conversation.until(-1) for conversation in learned]
    try:
        rendered = [(prompt, await engine.rendered(prompt)) for prompt in prompts]
    except EngineError as error:
        raise TrainerError(f"the server cannot render a neighbour's prompt: {error}") from error
    return Served(
        conversation=query.conversation,
        token_ids=ids,
        neighbours=tuple(
            Served(conversation=prompt, token_ids=theirs)
            for prompt, theirs in rendered
            if theirs is not None
        ),
    )
