"""A tiny random Qwen3 with a byte-level tokenizer, written once per session."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from adaptation.conversation import Conversation, spoken
from adaptation.learning.training.process import ProcessTrainer
from adaptation.learning.training.trainer import Recipe, TrainingJob
from memory.types import Message

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<|pad|>", "<|im_start|>", "<|im_end|>"]


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE with a few merges, so that words can merge across borders."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=SPECIAL,
        show_progress=False,
    )
    bpe.train_from_iterator(["user assistant answer the answer is lamp 12 + 30 = 42"] * 20, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, pad_token="<|pad|>", eos_token="<|im_end|>"
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def make_model(vocab_size: int, hidden_size: int = 64) -> Qwen3ForCausalLM:
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=vocab_size,
        hidden_size=hidden_size,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        tie_word_embeddings=True,
        eos_token_id=2,
        pad_token_id=0,
    )
    return Qwen3ForCausalLM(config)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    tokenizer = make_tokenizer()
    tokenizer.save_pretrained(folder)
    make_model(len(tokenizer)).save_pretrained(folder)
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def trainer(tiny_model: Path) -> AsyncIterator[ProcessTrainer]:
    """One resident process for a module's tests, which must run in the module's loop."""
    trainer = ProcessTrainer(tiny_model, threads=1, device="cpu")
    yield trainer
    await trainer.close()


@pytest.fixture(scope="session")
def tokenizer_maker() -> Callable[[], PreTrainedTokenizerFast]:
    return make_tokenizer


@pytest.fixture
def job() -> Callable[..., TrainingJob]:
    return make_job


def make_job(folder: Path, **changes: object) -> TrainingJob:
    """Sixteen sums to learn and two to be judged by; `folder` is made where it is missing."""
    folder.mkdir(exist_ok=True)
    fields: dict[str, object] = {
        "conversations": tuple(sum_of(i, 5) for i in range(16)),
        "holdout": tuple(sum_of(i, 7) for i in (3, 8)),
        "output_dir": str(folder),
        "recipe": Recipe(learning_rate=1e-2, steps=6, min_loss=0.0),
    }
    return TrainingJob.model_validate(fields | changes)


def sum_of(a: int, b: int) -> Conversation:
    question = Message(role="user", content=f"lamp {a} {b}?")
    return spoken(question, Message(role="assistant", content=f"lamp is +: {a + b}"))
