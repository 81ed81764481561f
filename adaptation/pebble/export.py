"""The finished model as a Hugging Face folder, with its card."""

from collections.abc import Iterable
from pathlib import Path

import torch
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen3ForCausalLM

from adaptation.pebble.chat import END_OF_TEXT
from adaptation.pebble.evaluate import QUESTIONS_PER_WORLD, FamilyScore, Scores, WorldScore
from adaptation.pebble.train import Run

CARD = """\
---
license: apache-2.0
language: en
pipeline_tag: text-generation
tags: [demonstration, synthetic-data]
---
# whet-pebble

The built-in demonstration and test model of Whet: a Qwen3-architecture network of
{parameters:.1f} million parameters, trained from nothing on synthetic data by the recipe in
`adaptation/pebble` (`python -m adaptation.pebble --help`). It knows small sums, a little courtesy,
JSON and tool calls, and it is made to be *taught*: its private worlds of jargon and price lists
are solvable only from solved examples. It knows nothing of the real world; use a real model for
real work.

Trained for {minutes:.0f} minutes on two processor cores: {steps:,} steps, {tokens:.0f} million
tokens (those read while rehearsing adaptation included).

## Ordinary tasks
Share of right answers: greedy, one sample at temperature 0.8, and the vote of 16 samples.

| family | greedy | one sample | vote of 16 |
|---|---|---|---|
{families}

{worlds}
Measured by `adaptation.pebble.evaluate`: {questions} questions per family, {unseen} unseen
worlds of {per_world} questions each. Worlds: training never draws these.
Ordinary questions: other seeds of the trained families, so small families may repeat a question
seen in training; "beyond training" marks what is longer than anything trained.
Adapted: a LoRA on every linear layer, alpha = rank, AdamW, one batch of 16 solved neighbours,
each its own conversation; seconds are those of its training on two cores.

## Licence
Apache-2.0, weights and recipe.
"""

WORLDS = """\
## Unseen worlds: {kind}
| how it may learn the world | right | seconds |
|---|---|---|
{rows}
"""


def export(model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Write the weights in bfloat16, the tokenizer and the generation defaults."""
    stops = [tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids(END_OF_TEXT)]
    model.generation_config = GenerationConfig(
        eos_token_id=stops, pad_token_id=tokenizer.pad_token_id
    )
    model.to(torch.bfloat16).save_pretrained(out)
    tokenizer.save_pretrained(out)


def write_card(run: Run, scores: Scores, out: Path) -> None:
    """The model card, with what was measured."""
    card = CARD.format(
        parameters=run.model.num_parameters() / 1e6,
        minutes=run.elapsed_s / 60,
        steps=run.steps,
        tokens=run.tokens / 1e6,
        questions=scores.questions,
        unseen=scores.unseen_worlds,
        per_world=QUESTIONS_PER_WORLD,
        families="\n".join(_family_rows(scores.families)),
        worlds="\n".join(
            WORLDS.format(kind=kind, rows="\n".join(_world_rows(arms)))
            for kind, arms in scores.worlds.items()
        ),
    )
    (out / "README.md").write_text(card)


def _family_rows(scores: Iterable[FamilyScore]) -> Iterable[str]:
    for each in scores:
        yield f"| {each.family} | {each.greedy:.0%} | {each.sampled:.0%} | {each.voted:.0%} |"


def _world_rows(arms: Iterable[WorldScore]) -> Iterable[str]:
    for each in arms:
        seconds = f"{each.seconds:.1f}" if each.seconds else "–"
        yield f"| {each.arm} | {each.accuracy:.0%} | {seconds} |"
