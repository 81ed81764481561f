"""Tiny random reward models: one that reads chats, and one of the older kind that reads pairs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForSequenceClassification,
)

from adaptation.rewards.process import ProcessRewardModel
from tests.adaptation.training.conftest import make_tokenizer

CONTEXT = 64
"""Tokens that the pair reader takes."""
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefghij0123456789?.+="]
Make = Callable[..., Path]


def make_chat_model(folder: Path, **changes: Any) -> Path:
    """A decoder with one number; `changes` are of its settings."""
    torch.manual_seed(1)
    tokenizer = make_tokenizer()
    tokenizer.save_pretrained(folder)
    shape = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "head_dim": 16}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "pad_token_id": 0}
    of_all = {"vocab_size": len(tokenizer), "num_labels": 1, "initializer_range": 0.3}
    config = Qwen3Config(**{**shape, **heads, **of_all, **changes})
    Qwen3ForSequenceClassification(config).save_pretrained(folder)
    return folder


def make_pair_model(folder: Path, **changes: Any) -> Path:
    """An encoder with three labels, and no chat template; it reads characters."""
    torch.manual_seed(2)
    make_pair_tokenizer().save_pretrained(folder)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    of_all = {"vocab_size": len(WORDS), "max_position_embeddings": CONTEXT, "num_labels": 3}
    config = BertConfig(
        **{**shape, **of_all, "num_attention_heads": 2, "initializer_range": 0.3, **changes}
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def make_pair_tokenizer() -> PreTrainedTokenizerFast:
    words = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    words.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=CONTEXT,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


@pytest.fixture(scope="session")
def chat_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_chat_model(tmp_path_factory.mktemp("chat"))


@pytest.fixture(scope="session")
def pair_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pair_model(tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="session")
def nan_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose training went wrong: its weights are no numbers."""
    folder = make_chat_model(tmp_path_factory.mktemp("nan"))
    model = Qwen3ForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        model.score.weight.fill_(float("nan"))
    model.save_pretrained(folder)
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rewards(chat_model: Path) -> AsyncIterator[ProcessRewardModel]:
    """One process for a module's tests, which must run in the module's loop."""
    rewards = ProcessRewardModel(chat_model, threads=1)
    yield rewards
    await rewards.close()
