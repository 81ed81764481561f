"""Measure the finished model: each family alone and voted, and how well it learns unseen worlds."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from statistics import mean

import torch
from peft import PeftModel
from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

from adaptation.pebble.adapt import Adaptation, adapted, single_turns
from adaptation.pebble.arithmetic import FAMILIES, Family, arithmetic, calculation
from adaptation.pebble.solved import Solved, final_answer
from adaptation.pebble.worlds import Facts, Jargon, World

Chat = list[dict[str, str]]

EVALUATION_SEED = 20_000
"""Seeds the ordinary tasks of the evaluation."""


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


def accuracy(speaker: Speaker, tasks: Sequence[Solved], shots: Sequence[Solved] = ()) -> float:
    """Share of greedy replies whose final answer is right."""
    replies = speaker.replies([asked(task, shots) for task in tasks])
    return mean(
        final_answer(reply) == task.answer for reply, task in zip(replies, tasks, strict=True)
    )


def sampled_and_voted(
    speaker: Speaker, tasks: Sequence[Solved], votes: int = 16, temperature: float = 0.8
) -> tuple[float, float]:
    """Accuracy of one sample, and of the most frequent answer of `votes` samples."""
    torch.manual_seed(0)
    chats = [asked(task) for task in tasks for _ in range(votes)]
    answers = [final_answer(reply) for reply in speaker.replies(chats, temperature)]
    single, voted = [], []
    for i, task in enumerate(tasks):
        mine = answers[i * votes : (i + 1) * votes]
        single.append(mean(answer == task.answer for answer in mine))
        voted.append(_most_frequent(mine) == task.answer)
    return mean(single), mean(voted)


def _most_frequent(answers: Iterable[str | None]) -> str | None:
    counts = Counter(answer for answer in answers if answer is not None)
    return counts.most_common(1)[0][0] if counts else None


@dataclass(frozen=True)
class FamilyScore:
    """Accuracy on one family of ordinary tasks."""

    family: str
    greedy: float
    sampled: float
    voted: float


SETTINGS: dict[str, Family] = {
    "story, 2 steps": lambda rng: arithmetic(rng, 2),
    "story, 4 steps": lambda rng: arithmetic(rng, 4),
    "story, 5 steps": lambda rng: arithmetic(rng, 5),
    "story, 6 steps (beyond training)": lambda rng: arithmetic(rng, 6),
    "calculation, 4 terms": lambda rng: calculation(rng, 4),
    "calculation, 5 terms (beyond training)": lambda rng: calculation(rng, 5),
    **{name: family for name, family in FAMILIES.items() if name not in ("story", "calculation")},
}


def family_scores(speaker: Speaker, questions: int, votes: int = 16) -> list[FamilyScore]:
    """Every setting, `questions` each."""
    scores = []
    for name, family in SETTINGS.items():
        rng = Random(f"{EVALUATION_SEED} {name}")
        tasks = [family(rng) for _ in range(questions)]
        sampled, voted = sampled_and_voted(speaker, tasks, votes)
        scores.append(FamilyScore(name, accuracy(speaker, tasks), sampled, voted))
    return scores


@dataclass(frozen=True)
class WorldScore:
    """Mean accuracy over unseen worlds; `seconds` is the mean time to adapt."""

    arm: str
    accuracy: float
    seconds: float = 0.0


KINDS: dict[str, Callable[[int], World]] = {"jargon": Jargon, "facts": Facts}


@dataclass(frozen=True)
class WorldTrial:
    """Questions of one unseen world, and other solved ones to learn from."""

    neighbours: list[Solved]
    questions: list[Solved]


QUESTIONS_PER_WORLD = 24


def world_trial(
    world: World, neighbours: int = 16, questions: int = QUESTIONS_PER_WORLD
) -> WorldTrial:
    """Neighbours and questions of one world, none in both."""
    tasks = world.solved(neighbours + questions, seed=1)
    return WorldTrial(tasks[:neighbours], tasks[neighbours:])


def context_score(
    model: Qwen3ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    trials: Sequence[WorldTrial],
    shots: int,
) -> WorldScore:
    """With the first `shots` neighbours as earlier turns, no training."""
    speaker = Speaker(model, tokenizer)
    scores = [accuracy(speaker, trial.questions, trial.neighbours[:shots]) for trial in trials]
    return WorldScore(f"{shots} demonstrations" if shots else "zero-shot", mean(scores))


def adapted_score(
    model: Qwen3ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    trials: Sequence[WorldTrial],
    settings: Adaptation,
) -> WorldScore:
    """Zero-shot after a LoRA was trained on the neighbours."""
    scores, seconds = [], []
    for trial in trials:
        rows = single_turns(tokenizer, trial.neighbours)
        with adapted(model, rows, settings) as (peft, took_s):
            scores.append(accuracy(Speaker(peft, tokenizer), trial.questions))
            seconds.append(took_s)
    arm = f"LoRA, rank {settings.rank}, {settings.steps} steps at {settings.rate:g}"
    return WorldScore(arm, mean(scores), mean(seconds))


def world_scores(
    model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, kind: str, worlds: int
) -> list[WorldScore]:
    """Zero-shot, in context and adapted, over the first `worlds` evaluation seeds."""
    trials = [world_trial(KINDS[kind](seed)) for seed in range(worlds)]
    contexts = [context_score(model, tokenizer, trials, shots) for shots in (0, 4, 8, 16)]
    settings = [Adaptation(steps, rate) for rate in (3e-3, 1e-2) for steps in (4, 8)]
    return contexts + [adapted_score(model, tokenizer, trials, each) for each in settings]


@dataclass(frozen=True)
class Scores:
    """Everything the model card reports."""

    questions: int
    unseen_worlds: int
    families: list[FamilyScore]
    worlds: dict[str, list[WorldScore]]


def evaluate(
    model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, worlds: int, questions: int
) -> Scores:
    """Measure all of it: minutes on two cores."""
    return Scores(
        questions,
        worlds,
        family_scores(Speaker(model, tokenizer), questions),
        {kind: world_scores(model, tokenizer, kind, worlds) for kind in KINDS},
    )
