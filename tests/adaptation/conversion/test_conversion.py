"""What comes out of a GGUF file is the model that went in, or nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import psutil
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from adaptation.conversion import apart
from adaptation.conversion.apart import convert_apart
from adaptation.conversion.convert import convert
from adaptation.conversion.header import read_header
from adaptation.conversion.room import check_room
from adaptation.errors import ConversionError
from tests.adaptation.conversion.tiny import CONTROL, TEMPLATE, write_tiny


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture(scope="module")
def folder(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The converted model, by the process that converts."""
    made = tmp_path_factory.mktemp("made")
    assert convert_apart(source, made) == "mit"
    return made


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Any:
    return AutoTokenizer.from_pretrained(folder)


def converted(source: Path, folder: Path) -> Path:
    """Convert in this process."""
    header = read_header(source)
    check_room(source, folder, header)
    convert(source, folder, header)
    return folder


def refused(source: Path, folder: Path) -> str:
    """Return why a file is not converted."""
    with pytest.raises(ConversionError) as error:
        converted(source, folder)
    assert list(folder.glob("*.safetensors")) == []
    return str(error.value)


def test_the_weights_are_the_files_own_in_bfloat16(source: Path, folder: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    stored = {tensor.name: tensor for tensor in gguf.GGUFReader(source).tensors}
    for name, ours in {
        "token_embd.weight": model.model.embed_tokens.weight,
        "blk.1.ffn_down.weight": model.model.layers[1].mlp.down_proj.weight,
        "blk.1.attn_norm.weight": model.model.layers[1].input_layernorm.weight,
    }.items():
        values = gguf.dequantize(stored[name].data, stored[name].tensor_type)
        assert np.allclose(ours.detach().float().numpy(), values, rtol=2**-8, atol=0)


def test_the_chat_template_is_the_files_own(tokenizer: Any) -> None:
    assert tokenizer.chat_template == TEMPLATE
    rendered = tokenizer.apply_chat_template(
        [{"role": "user", "content": "hi"}], add_generation_prompt=True, tokenize=False
    )
    assert rendered == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"


def test_text_comes_back_from_its_tokens(tokenizer: Any) -> None:
    for text in ("hi there", "  two\n\nlines 12", "Grüße, 世界 🙂", "a\tb"):
        assert tokenizer.decode(tokenizer(text).input_ids) == text


def test_control_tokens_are_one_token_each_and_end_a_reply(folder: Path, tokenizer: Any) -> None:
    assert [tokenizer(token).input_ids for token in CONTROL] == [[0], [1], [2]]
    assert tokenizer.eos_token_id == 2
    assert tokenizer.model_max_length == 128
    assert json.loads((folder / "generation_config.json").read_text())["eos_token_id"] == 2


def test_digits_stand_apart_where_the_model_learned_so(tokenizer: Any) -> None:
    """Cut as GPT-2 cuts, the second line feed would go with the digits."""
    assert tokenizer.convert_ids_to_tokens(tokenizer("a\n\n12").input_ids) == ["a", "ĊĊ", "1", "2"]


def test_other_rules_of_cutting_stay_what_they_are(tmp_path: Path) -> None:
    folder = converted(write_tiny(tmp_path / "tiny.gguf", split="gpt-2"), tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokens = tokenizer.convert_ids_to_tokens(tokenizer("a\n\n12").input_ids)
    assert tokens == ["a", "Ċ", "Ċ", "1", "2"]


def test_what_the_file_says_of_beginnings_and_ends_is_kept(tmp_path: Path) -> None:
    converted(write_tiny(tmp_path / "tiny.gguf", bos=True, eot=0), tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer("a").input_ids[0] == 1
    assert json.loads((tmp_path / "generation_config.json").read_text())["eos_token_id"] == [2, 0]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"split": "of-tomorrow"}, "cuts text by rules named 'of-tomorrow'"),
        ({"scaling": gguf.RopeScalingType.YARN}, "scales its positions (yarn)"),
        ({"parts": 3}, "one part of several"),
        ({"extra": "rope_freqs.weight"}, "numbers, of which Transformers has a place for"),
    ],
)
def test_what_would_become_another_model_is_refused(
    tmp_path: Path, more: dict[str, Any], why: str
) -> None:
    assert why in refused(write_tiny(tmp_path / "tiny.gguf", **more), tmp_path)


def test_a_number_that_is_none_is_refused_by_its_name(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "odd.gguf", "llama")
    writer.add_string("split.count", "one")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    assert "has 'one' as split.count, which is no whole number" in refused(
        tmp_path / "odd.gguf", tmp_path
    )


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_half_a_file_is_refused(source: Path, tmp_path: Path, share: float) -> None:
    half = tmp_path / "half.gguf"
    whole = source.read_bytes()
    half.write_bytes(whole[: int(len(whole) * share)])
    assert "no whole GGUF file" in refused(half, tmp_path)


def test_a_model_larger_than_the_free_memory_or_disk_is_refused_with_both_numbers(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        free = psutil.virtual_memory()._replace(available=1000)
        patch.setattr(psutil, "virtual_memory", lambda: free)
        assert "GB of memory and 0.0 GB are free" in refused(source, tmp_path)
    disk = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: disk)
    assert "make room there" in refused(source, tmp_path)


def test_the_process_that_converts_says_what_was_wrong(tmp_path: Path) -> None:
    (tmp_path / "text.gguf").write_text("no weights")
    with pytest.raises(ConversionError, match="no whole GGUF file"):
        convert_apart(tmp_path / "text.gguf", tmp_path)


def test_a_process_that_dies_is_told_with_its_last_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "WORKER", "adaptation.conversion.no_worker")
    with pytest.raises(ConversionError, match=r"could not be converted: .*no_worker"):
        convert_apart(tmp_path / "any.gguf", tmp_path)


def test_without_the_package_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "find_spec", lambda _: None)
    with pytest.raises(ConversionError, match=r'pip install "whet\[gguf\]"'):
        convert_apart(tmp_path / "any.gguf", tmp_path)
