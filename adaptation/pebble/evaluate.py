"""Measure the finished model: each suite alone and voted, and how well it learns unseen worlds.

All on the development split: it serves to choose recipes and difficulties. Evaluation questions are
left to `whet eval`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

import torch
from peft import PeftModel
from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.split import Split
from adaptation.evaluation.suites.suite import WORLD_SEEDS, Suite, up_to
from adaptation.pebble.adapt import Adaptation, adapted, single_turns
from adaptation.pebble.curriculum import ORDINARY, SHIFTED
from memory.identity.answers.plurality import leader

Chat = list[dict[str, str]]


@dataclass
class Speaker:
    """The model as a chat function, many conversations at a time."""

    model: Qwen3ForCausalLM | PeftModel
    tokenizer: PreTrainedTokenizerFast
    at_once: int = 128

    def replies(self, chats: Sequence[Chat], temperature: float = 0.0) -> list[str]:
        """One reply to each conversation, greedy at temperature 0."""
        found: list[str] = []
        for start in range(0, len(chats), self.at_once):
            found += self._batch(list(chats[start : start + self.at_once]), temperature)
        return found

    @torch.inference_mode()
    def _batch(self, chats: list[Chat], temperature: float) -> list[str]:
        inputs = self.tokenizer.apply_chat_template(
            chats,
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
            padding=True,
            tokenizer_kwargs={"padding_side": "left"},
        )
        sampling = {"temperature": temperature, "top_k": 0} if temperature else {}
        output = self.model.generate(
            **inputs, max_new_tokens=160, do_sample=bool(temperature), **sampling
        )
        prompt_tokens = inputs["input_ids"].shape[1]
        texts = self.tokenizer.batch_decode(output[:, prompt_tokens:], skip_special_tokens=True)
        return list(texts)


def asked(task: Solved, demonstrations: Sequence[Solved] = ()) -> Chat:
    """The question after solved demonstrations, each a turn of its own."""
    chat: Chat = []
    for shown in demonstrations:
        chat.append({"role": "user", "content": shown.question})
        chat.append({"role": "assistant", "content": shown.rationale})
    return [*chat, {"role": "user", "content": task.question}]


def accuracy(
    speaker: Speaker, suite: Suite, tasks: Sequence[Solved], shots: Sequence[Solved] = ()
) -> float:
    """Share of greedy replies that the suite's verifier passes."""
    replies = speaker.replies([asked(task, shots) for task in tasks])
    return mean(suite.verify(task, reply) for reply, task in zip(replies, tasks, strict=True))


@dataclass(frozen=True)
class SuiteScore:
    """Accuracy on one suite at one level; `passed` is the share that any of the samples got."""

    suite: str
    level: int
    greedy: float
    sampled: float
    voted: float
    passed: float


TEMPERATURE = 1.0
VOTES = 16


def suite_score(speaker: Speaker, suite: Suite, level: int, questions: int) -> SuiteScore:
    """Greedy, single samples, their vote and pass@16."""
    torch.manual_seed(0)
    tasks = up_to(questions, suite, split=Split.DEVELOPMENT, seed=0, level=level)
    chats = [asked(task) for task in tasks for _ in range(VOTES)]
    replies = speaker.replies(chats, TEMPERATURE)
    sampled, voted, passed = [], [], []
    for i, task in enumerate(tasks):
        mine = replies[i * VOTES : (i + 1) * VOTES]
        right = [suite.verify(task, reply) for reply in mine]
        sampled.append(mean(right))
        passed.append(any(right))
        voted.append(right[leader(mine, suite.answer)])
    greedy = accuracy(speaker, suite, tasks)
    return SuiteScore(suite.name, level, greedy, mean(sampled), mean(voted), mean(passed))


def suite_scores(speaker: Speaker, questions: int) -> list[SuiteScore]:
    """Every suite in distribution at every level."""
    return [
        suite_score(speaker, suite, level, questions)
        for suite in ORDINARY.values()
        for level in suite.levels
    ]


@dataclass(frozen=True)
class WorldScore:
    """Mean accuracy over unseen worlds; `seconds` is the mean time to adapt."""

    arm: str
    accuracy: float
    seconds: float = 0.0


@dataclass(frozen=True)
class WorldTrial:
    """Questions of one unseen world, and other solved ones to learn from."""

    neighbours: list[Solved]
    questions: list[Solved]


QUESTIONS_PER_WORLD = 24
NEIGHBOURS = 16


def world_trial(suite: Suite, world: int) -> WorldTrial:
    """Neighbours and questions of one world at the default level."""
    level = suite.default_level
    return WorldTrial(
        suite.problems(NEIGHBOURS, split=Split.MEMORY, seed=0, level=level, world=world),
        suite.problems(
            QUESTIONS_PER_WORLD, split=Split.DEVELOPMENT, seed=0, level=level, world=world
        ),
    )


def context_score(
    speaker: Speaker, suite: Suite, trials: Sequence[WorldTrial], shots: int
) -> WorldScore:
    """With the first `shots` neighbours as earlier turns, no training."""
    scores = [
        accuracy(speaker, suite, trial.questions, trial.neighbours[:shots]) for trial in trials
    ]
    return WorldScore(f"{shots} demonstrations" if shots else "zero-shot", mean(scores))


def adapted_score(
    speaker: Speaker, suite: Suite, trials: Sequence[WorldTrial], settings: Adaptation
) -> WorldScore:
    """Zero-shot after a LoRA was trained on the neighbours."""
    scores, seconds = [], []
    for trial in trials:
        rows = single_turns(speaker.tokenizer, trial.neighbours)
        with adapted(speaker.model, rows, settings) as (peft, took_s):
            learned = Speaker(peft, speaker.tokenizer)
            scores.append(accuracy(learned, suite, trial.questions))
            seconds.append(took_s)
    arm = f"LoRA, rank {settings.rank}, {settings.steps} steps at {settings.rate:g}"
    return WorldScore(arm, mean(scores), mean(seconds))


SETTINGS = (Adaptation(8, 6e-3), Adaptation(12, 6e-3))


def world_scores(speaker: Speaker, suite: Suite, worlds: int) -> list[WorldScore]:
    """Zero-shot, in context and adapted, over the first `worlds` development seeds."""
    trials = [world_trial(suite, seed) for seed in WORLD_SEEDS[Split.DEVELOPMENT][:worlds]]
    contexts = [context_score(speaker, suite, trials, shots) for shots in (0, 4, 8, 16)]
    return contexts + [adapted_score(speaker, suite, trials, each) for each in SETTINGS]


@dataclass(frozen=True)
class Scores:
    """Everything the model card reports."""

    questions: int
    unseen_worlds: int
    suites: list[SuiteScore]
    worlds: dict[str, list[WorldScore]]


def evaluate(
    model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, worlds: int, questions: int
) -> Scores:
    """Measure all of it: minutes on two cores."""
    speaker = Speaker(model, tokenizer)
    return Scores(
        questions,
        worlds,
        suite_scores(speaker, questions),
        {name: world_scores(speaker, suite, worlds) for name, suite in SHIFTED.items()},
    )
