"""The finished model as a Hugging Face folder, with its card."""

from collections.abc import Iterable
from pathlib import Path

import torch
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen3ForCausalLM

from adaptation.pebble.chat import END_OF_TEXT
from adaptation.pebble.evaluate import QUESTIONS_PER_WORLD, VOTES, Scores, SuiteScore, WorldScore
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
JSON and tool calls, and it is made to be *taught*: private worlds of jargon, price lists and house
rules are solvable only from solved examples. It knows nothing of the real world; use a real model
for real work.

Its chat template brings a user's short line to the wordings that were taught: `2+2` is read as
`2 + 2`, `plus` and `minus` as signs, `What's` as `What is`, a greeting before a question not at
all (`reading.py`). Longer texts and those of several lines are read as they are.

Trained for {minutes:.0f} minutes on {device}: {steps:,} steps, {tokens:.0f} million
tokens (those read while rehearsing adaptation included).

## Ordinary tasks
Share of right answers: greedy, one sample at temperature 1, the vote of {votes} samples, and any of
them right.

| suite, level | greedy | one sample | vote | pass@{votes} |
|---|---|---|---|---|
{suites}

{worlds}
Measured by `adaptation.pebble.evaluate`: up to {questions} questions per suite and level, {unseen}
unseen worlds of {per_world} questions each, all of the development split: a hash of its text
decides whether a question may be trained on, so none of these ever was. Worlds are drawn from
seeds that training never used. A house has few possible rules, so a trained house may have had the
same ones; jargon and price lists do not recur.
Adapted: a LoRA on every linear layer, alpha = rank, AdamW, one batch of 16 solved neighbours,
each its own conversation; seconds are those of its training.

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
        device=run.device_words,
        steps=run.steps,
        tokens=run.tokens / 1e6,
        questions=scores.questions,
        unseen=scores.unseen_worlds,
        per_world=QUESTIONS_PER_WORLD,
        votes=VOTES,
        suites="\n".join(_suite_rows(scores.suites)),
        worlds="\n".join(
            WORLDS.format(kind=kind, rows="\n".join(_world_rows(arms)))
            for kind, arms in scores.worlds.items()
        ),
    )
    (out / "README.md").write_text(card)


def _suite_rows(scores: Iterable[SuiteScore]) -> Iterable[str]:
    for each in scores:
        rates = (each.greedy, each.sampled, each.voted, each.passed)
        yield f"| {each.suite}, {each.level} | {' | '.join(f'{rate:.0%}' for rate in rates)} |"


def _world_rows(arms: Iterable[WorldScore]) -> Iterable[str]:
    for each in arms:
        seconds = f"{each.seconds:.1f}" if each.seconds else "–"
        yield f"| {each.arm} | {each.accuracy:.0%} | {seconds} |"
