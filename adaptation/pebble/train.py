"""The training loop: rows in, weights out, within a given time.

Progress is measured on the clock, not in steps: the schedule ends when the minutes do, however busy
the machine is.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from tokenizers import Tokenizer
from torch import Tensor
from torch.optim import AdamW, Muon, Optimizer
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from adaptation.pebble import rehearse
from adaptation.pebble.corpus import Corpus
from adaptation.pebble.losses import rows_loss
from adaptation.pebble.recipe import Recipe, Shape

CHECKPOINT = "checkpoint.pt"


class OtherRecipeError(Exception):
    """A checkpoint is not of this recipe."""


def new_model(shape: Shape, tokenizer: PreTrainedTokenizerFast, seed: int) -> Qwen3ForCausalLM:
    """A freshly initialised network of this shape, in float32."""
    torch.manual_seed(seed)
    return Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=shape.vocabulary,
            hidden_size=shape.hidden,
            intermediate_size=shape.intermediate,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.kv_heads,
            head_dim=shape.head_dim,
            max_position_embeddings=shape.max_tokens,
            rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def rate_at(progress: float, recipe: Recipe) -> float:
    """Part of the peak learning rate: a linear warm-up, then a cosine."""
    if progress < recipe.warmup:
        return progress / recipe.warmup
    after = (progress - recipe.warmup) / (1 - recipe.warmup)
    cosine = 0.5 * (1 + math.cos(math.pi * min(after, 1.0)))
    return recipe.final_rate + (1 - recipe.final_rate) * cosine


class Optimizers:
    """Muon for the weight matrices, AdamW for embeddings and norms.

    Muon (Jordan et al., 2024) orthogonalises each matrix's momentum, which needs about a third
    fewer tokens than AdamW at this size; embeddings and norms are not matrices in that sense.
    """

    def __init__(self, model: Qwen3ForCausalLM, recipe: Recipe) -> None:
        named = list(model.named_parameters())
        matrices = [p for name, p in named if p.ndim == 2 and "embed" not in name]
        others = [p for name, p in named if p.ndim != 2 or "embed" in name]
        self._pairs: list[tuple[Optimizer, float]] = [
            (
                Muon(matrices, lr=recipe.matrix_rate, weight_decay=recipe.weight_decay),
                recipe.matrix_rate,
            ),
            (
                AdamW(others, lr=recipe.other_rate, betas=(0.9, 0.95), weight_decay=0.0),
                recipe.other_rate,
            ),
        ]

    def step(self, rate: float) -> None:
        """Update at `rate` times the peak learning rates, and clear the gradients."""
        for optimizer, peak in self._pairs:
            for group in optimizer.param_groups:
                group["lr"] = peak * rate
            optimizer.step()
            optimizer.zero_grad()

    def state(self) -> list[dict[str, Any]]:
        return [optimizer.state_dict() for optimizer, _ in self._pairs]

    def load(self, states: list[dict[str, Any]]) -> None:
        for (optimizer, _), state in zip(self._pairs, states, strict=True):
            optimizer.load_state_dict(state)


@dataclass
class Run:
    """A training run that can stop and go on: the network, its optimisers, how far it is."""

    model: Qwen3ForCausalLM
    optimizers: Optimizers
    recipe_words: str
    """The recipe of the checkpoint: one of another recipe is not continued."""
    steps: int = 0
    tokens: int = 0
    elapsed_s: float = 0.0

    @property
    def device_words(self) -> str:
        """What it trains on, for the model card."""
        if self.model.device.type == "cuda":
            return torch.cuda.get_device_name(self.model.device)
        return f"{torch.get_num_threads()} processor cores"

    def save(self, path: Path) -> None:
        """Write everything needed to go on; a crash while writing leaves the old file."""
        state = {
            "recipe": self.recipe_words,
            "model": self.model.state_dict(),
            "optimizers": self.optimizers.state(),
            "counts": (self.steps, self.tokens, self.elapsed_s),
        }
        torch.save(state, path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)

    def load(self, path: Path) -> None:
        """Go on from a file; raises `OtherRecipeError` where another recipe wrote it."""
        state = torch.load(path, map_location=self.model.device, weights_only=True)
        if state.get("recipe") != self.recipe_words:
            raise OtherRecipeError(f"{path} is of another recipe or seed: start over with --fresh")
        self.model.load_state_dict(state["model"])
        self.optimizers.load(state["optimizers"])
        self.steps, self.tokens, self.elapsed_s = state["counts"]


class Lessons:
    """Where the next loss comes from: packed rows, later also rehearsed adaptation."""

    def __init__(self, tokenizer: Tokenizer, recipe: Recipe, first_step: int) -> None:
        seed = f"{recipe.seed} {first_step}"
        self._recipe = recipe
        self._corpus = Corpus(tokenizer, recipe, seed)
        self._rehearsals = rehearse.Lessons(tokenizer, recipe, seed)
        self._rng = Random(seed)
        self._body: Callable[..., Any] | None = None

    def compile(self, model: Qwen3ForCausalLM) -> None:
        """Have packed rows go through a compiled network: 1.4 times as fast on two cores."""
        self._body = torch.compile(model.model, dynamic=False)

    def loss(self, model: Qwen3ForCausalLM, progress: float) -> tuple[Tensor, int]:
        """A loss ready for backward, and the tokens that were read for it."""
        rehearsal = self._recipe.rehearsal
        if progress >= rehearsal.starts_at and self._rng.random() < rehearsal.share:
            lesson = self._rehearsals.next()
            tokens = lesson.steps * lesson.neighbours.ids.numel() + lesson.questions.ids.numel()
            return rehearse.rehearse(model, lesson, rehearsal.rank), tokens
        rows = self._corpus.next(progress)
        return rows_loss(model, rows, self._body), rows.ids.numel()


def train(run: Run, lessons: Lessons, recipe: Recipe, minutes: float, out: Path) -> None:
    """Train until `minutes` have been spent, counting the time before a resume."""
    budget_s, saved_s, smooth = minutes * 60, run.elapsed_s, math.nan
    with _progress_bar() as bar:
        task = bar.add_task("", total=budget_s)
        try:
            while run.elapsed_s < budget_s:
                loss = _timed_step(run, lessons, recipe, run.elapsed_s / budget_s)
                smooth = loss if math.isnan(smooth) else 0.98 * smooth + 0.02 * loss
                bar.update(task, completed=run.elapsed_s, description=_state(run, smooth))
                if run.elapsed_s - saved_s > recipe.checkpoint_s:
                    saved_s = run.elapsed_s
                    run.save(out / CHECKPOINT)
                    bar.console.print(f"{run.elapsed_s / 60:5.1f} min  {_state(run, smooth)}")
        finally:
            run.save(out / CHECKPOINT)


def _timed_step(run: Run, lessons: Lessons, recipe: Recipe, progress: float) -> float:
    """One update; the loss before it, in nats per trained token."""
    began = time.perf_counter()
    loss, tokens = lessons.loss(run.model, progress)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(run.model.parameters(), recipe.clip)
    run.optimizers.step(rate_at(progress, recipe))
    run.steps += 1
    run.tokens += tokens
    run.elapsed_s += time.perf_counter() - began
    return loss.item()


def _state(run: Run, loss: float) -> str:
    speed = run.tokens / run.elapsed_s
    return f"step {run.steps}  loss {loss:.3f}  {speed:,.0f} tokens/s"


def _progress_bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    )
