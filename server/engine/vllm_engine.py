"""Drawing samples, loading adapters and probing, on vLLM's AsyncLLM."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from vllm import SamplingParams
from vllm.exceptions import GracefulHTTPError, VLLMError
from vllm.inputs.engine import tokens_input
from vllm.lora.request import LoRARequest
from vllm.sampling_params import RequestOutputKind

from adaptation.conversation import Conversation, spoken
from adaptation.engine import Progress
from adaptation.errors import EngineError
from adaptation.learning.training.chat import Chat, Template
from adaptation.said import Said
from adaptation.types import Adapter, Draw, Query, Sample
from memory.types import Message
from server.engine.easing import Easing
from server.engine.outputs import PartialSample, is_streamed, recited
from server.engine.parsers import Reply, ReplyReader
from server.engine.refusals import FORM, told
from server.engine.rendering import rendered
from server.engine.sampling import params_for
from server.engine.singly import part
from server.engine.trail import Trail
from server.engine.under_way import end_requests

REMEMBERED_PROBES = 16
ABORTED = "abort"
SOON_PARSED = 2_048
"""Characters of a reply that parsers read within some twenty milliseconds."""


CHANCE_AND_LENGTH = frozenset(
    {"n", "seed", "temperature", "top_p", "top_k", "min_p", "max_tokens"}
    | {"logprobs", "prompt_logprobs", "output_kind"}
)
"""Parameters that say nothing of what a greedy answer is."""


@dataclass(frozen=True)
class EngineRequest:
    """The arguments of a `generate()` call, opaque to the pipeline."""

    prompt: Any
    params: SamplingParams
    keywords: dict[str, Any]
    form: str = FORM
    """What of the request asked for a form of its output."""
    reader: ReplyReader | None = None
    """How its replies are read, where there is more to them than what they say."""

    @property
    def writes_json(self) -> bool:
        """Whether the output is held to a grammar of JSON, which may let white space go on."""
        held = self.params.structured_outputs
        return held is not None and bool(held.json or held.json_object or held.structural_tag)

    @property
    def terms(self) -> str:
        """See `Query.terms`."""
        named = ((name, getattr(self.params, name)) for name in SamplingParams.__struct_fields__)
        return repr([each for each in named if each[0] not in CHANCE_AND_LENGTH])

    @property
    def is_bent(self) -> bool:
        """See `Query.is_bent`; a grammar makes what it allows only likelier."""
        params = self.params
        penalties = params.presence_penalty or params.frequency_penalty
        repeats = params.repetition_penalty != 1.0
        return bool(penalties or repeats or params.logit_bias or params.watermarking)

    @property
    def takes_pieces(self) -> bool:
        """Whether several tokens may be handed on as one: parsers of streams are used to each."""
        return self.reader is None or self.params.output_kind is not RequestOutputKind.DELTA

    @property
    def asks_logprobs(self) -> bool:
        """Whether the client is shown log-probabilities, with their tokens' words."""
        return self.params.logprobs is not None or bool(self.params.logprob_token_ids)

    @property
    def choices(self) -> int:
        """OpenAI's `n`."""
        return int(self.params.n)

    @property
    def seed(self) -> int | None:
        """The request's own seed."""
        return None if self.params.seed is None else int(self.params.seed)


class VllmEngine:
    """`adaptation.engine.Engine` on vLLM's AsyncLLM."""

    def __init__(self, client: Any, template: Template | None = None) -> None:
        """`template` is how the server renders chats: see `launch.chat_template`."""
        self._client = client
        self._template = template or Template()
        self._probes = 0
        self._probed: dict[tuple[int, tuple[int, ...]], float] = {}

    async def sample(self, query: Query, draw: Draw) -> AsyncGenerator[Progress, None]:
        """See `Engine.sample`: one n=1 request, so that it can be cancelled alone.

        JSON of which nothing comes any more but white space is ended, as if `max_tokens` had, and
        so is a vote that repeats itself: it is not the only one.
        """
        request = query.engine_request
        assert isinstance(request, EngineRequest)
        partial, is_ending = PartialSample(draw), False
        is_close = not request.takes_pieces or query.options.budget.tokens is not None
        eased = (request.asks_logprobs, is_streamed(request.params), is_close)
        easing = Easing(self._client, draw, *eased)
        watches_blanks = request.writes_json and not draw.is_aside
        watches_loops = query.options.max_samples > 1 and not request.params.ignore_eos
        try:
            async with aclosing(self._outputs(request, draw)) as outputs:
                async for step in outputs:
                    new_tokens = partial.add(step)
                    easing.after(partial)
                    is_lost = (watches_blanks and partial.is_blank) or (
                        watches_loops and partial.is_repeating
                    )
                    if is_lost and not is_ending:
                        is_ending = True
                        await self.end([draw.request_id])
                    was_aborted = step.outputs[0].finish_reason == ABORTED
                    done = step.finished and (is_ending or not was_aborted)
                    if new_tokens or done:
                        sample = partial.sample()
                        if is_ending:
                            sample = replace(sample, finish_reason="length" if done else None)
                        if done:
                            if not request.takes_pieces:
                                tokenizer = self._client.get_tokenizer()
                                part(partial.trail, tokenizer, request.prompt, request.params)
                            sample = await self._parsed_aside(query, sample)
                        yield Progress(sample, new_tokens, done=done)
        except GracefulHTTPError as error:
            if error.http_status != HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            raise EngineError(str(error)) from None  # the server is stopping, or the engine

    def _outputs(self, request: EngineRequest, draw: Draw) -> AsyncGenerator[Any, None]:
        params = params_for(request.params, draw)
        outputs = self._client.generate(
            request.prompt if draw.prompt is None else draw.prompt,
            params,
            draw.request_id,
            **{**request.keywords, "lora_request": lora_request(draw.adapter)},
        )
        return told(outputs, params, request.form)

    async def end(self, request_ids: Sequence[str]) -> None:
        """See `Engine.end`."""
        await end_requests(self._client, request_ids)

    def prompt(self, query: Query, messages: Sequence[Message]) -> object:
        """See `Engine.prompt`: through the model's chat template, with the request's salt."""
        request = query.engine_request
        assert isinstance(request, EngineRequest)
        try:
            chat = Chat(self._client.get_tokenizer(), self._template)
            ids = chat.encode(spoken(*messages))
        except ValueError as error:
            raise EngineError(str(error)) from error
        if len(ids) >= self._client.model_config.max_model_len:
            raise EngineError("the prompt is longer than the model's context")
        return tokens_input(ids, cache_salt=request.prompt.get("cache_salt"))

    def prompt_ids(self, query: Query) -> tuple[int, ...] | None:
        """See `Engine.prompt_ids`: embeddings stand for tokens that are not known."""
        request = query.engine_request
        assert isinstance(request, EngineRequest)
        ids = request.prompt.get("prompt_token_ids")
        return (
            None if ids is None or request.prompt.get("prompt_embeds") is not None else tuple(ids)
        )

    async def rendered(self, conversation: Conversation) -> tuple[int, ...] | None:
        """See `Engine.rendered`."""
        return await rendered(self._client, self._template, conversation)

    def parsed(self, query: Query, sample: Sample) -> Sample:
        """Return a sample with what it says and calls told apart, as vLLM's handler does."""
        request, trail = query.engine_request, sample.engine_output
        assert isinstance(request, EngineRequest)
        if request.reader is None:
            return sample
        token_ids = trail.token_ids if isinstance(trail, Trail) else ()
        reply = Reply(sample.text, token_ids, request.prompt.get("prompt_token_ids"))
        return replace(sample, parsed=request.reader.said(reply))

    def parsed_at_once(self, query: Query, sample: Sample) -> Sample:
        """Like `parsed`, for whoever cannot wait: what may take long is taken to say nothing."""
        request = query.engine_request
        assert isinstance(request, EngineRequest)
        if sample.parsed is not None or request.reader is None:
            return sample
        is_long = len(sample.text) > SOON_PARSED
        return replace(sample, parsed=Said("")) if is_long else self.parsed(query, sample)

    async def _parsed_aside(self, query: Query, sample: Sample) -> Sample:
        """Parse beside the event loop what may take long: Mistral's parser took 0.5 s for 16 kB."""
        if len(sample.text) <= SOON_PARSED:
            return self.parsed(query, sample)
        return await asyncio.to_thread(self.parsed, query, sample)

    def written(self, query: Query, turn: Message) -> str | None:
        """See `Engine.written`: what the chat template adds to the prompt."""
        tokenizer = self._client.get_tokenizer()
        chat, asked = Chat(tokenizer, self._template), query.conversation
        try:
            prompt = chat.render(asked, prompt=True)
            whole = chat.render(asked.of((*asked.messages, turn)), prompt=False)
        except ValueError:
            return None
        said = whole[len(prompt) :].rstrip().removesuffix(tokenizer.eos_token or "")
        return said.rstrip() if said and whole.startswith(prompt) else None

    def recite(self, query: Query, text: str) -> Sample | None:
        """See `Engine.recite`."""
        request = query.engine_request
        assert isinstance(request, EngineRequest)
        params = request.params
        if not _may_be_recited(params, text):
            return None
        ids = list(self._client.get_tokenizer().encode(text, add_special_tokens=False))
        if params.max_tokens is not None and len(ids) > params.max_tokens:
            return None
        return self.parsed(query, recited(request.prompt, text, ids))

    async def load(self, adapter: Adapter) -> None:
        """See `Engine.load`: a bad path is an exception here, but kills vLLM in `generate`."""
        try:
            loaded = await self._client.add_lora(lora_request(adapter))
        except Exception as error:
            raise EngineError(f"vLLM could not load it: {error}") from error
        if not loaded:
            raise EngineError("vLLM refused it")

    async def drop(self, adapter: Adapter) -> None:
        """See `Engine.drop`."""
        try:
            await self._client.remove_lora(adapter.id)
        except Exception as error:
            raise EngineError(f"vLLM did not unload it: {error}") from error

    async def probe(self, token_ids: tuple[int, ...], adapter: Adapter | None) -> float:
        """See `Engine.probe`; what was asked lately is remembered: it cannot have changed."""
        key = (adapter.id if adapter else 0, token_ids)
        if key not in self._probed:
            self._probed[key] = await self._probe(token_ids, adapter)
            if len(self._probed) > REMEMBERED_PROBES:
                del self._probed[next(key for key in self._probed if key[0])]
        return self._probed[key]

    async def _probe(self, token_ids: tuple[int, ...], adapter: Adapter | None) -> float:
        self._probes += 1
        params = SamplingParams(
            temperature=0.0, max_tokens=1, logprobs=1, output_kind=RequestOutputKind.FINAL_ONLY
        )
        prompt = tokens_input(list(token_ids))
        outputs = self._client.generate(
            prompt, params, f"probe-{self._probes}", lora_request=lora_request(adapter)
        )
        try:
            async with aclosing(outputs):
                async for output in outputs:
                    return float(output.outputs[0].cumulative_logprob)
        except VLLMError as error:
            raise EngineError(f"the probe failed: {error}") from error
        raise EngineError("the engine returned nothing")


def _may_be_recited(params: SamplingParams, text: str) -> bool:
    """Whether a text can stand for a generation: it has no log-probabilities, and it has ended."""
    asks_more = params.logprobs is not None or params.prompt_logprobs is not None
    is_bent = params.bad_words or params.logit_bias or params.allowed_token_ids
    stops = [params.stop] if isinstance(params.stop, str) else params.stop or ()
    goes_on = params.ignore_eos or params.min_tokens
    is_free = not (asks_more or is_bent or goes_on or params.logprob_token_ids)
    return is_free and not any(stop in text for stop in stops)


def lora_request(adapter: Adapter | None) -> LoRARequest | None:
    """Return the adapter as vLLM names it."""
    if adapter is None:
        return None
    return LoRARequest(lora_name=adapter.name, lora_int_id=adapter.id, lora_path=adapter.path)
