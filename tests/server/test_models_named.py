"""A name, a GGUF file and a folder are taken alike by serve, eval and distill."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from adaptation.pebble import model_path
from server.cli import main
from server.commands import eval_versions
from server.commands.eval_server import serve_words
from server.config import ConfigError, Settings
from server.models import named
from server.models.getting import from_file
from server.models.named import base_model, check_model, choose
from server.models.origin import Origin
from server.models.package import file_hash
from server.startup.engine_defaults import complete
from tests.adaptation.conversion.tiny import write_tiny
from tests.server.test_models_getting import never


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a model named smollm2, which is the built-in one in truth."""
    folder = tmp_path / "data" / "models" / "smollm2"
    folder.mkdir(parents=True)
    for file in model_path().iterdir():
        (folder / file.name).symlink_to(file)
    Origin(name="smollm2", source="x==1", sha256="0", licence="Apache-2.0").write(folder)
    return tmp_path / "data"


@pytest.fixture(scope="module")
def gguf_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("own") / "My-Model.Q8_0.gguf", seed=1)


def served(settings: Settings, **given: Any) -> argparse.Namespace:
    """Return vLLM's flags as far as they name a model, completed."""
    blank = {"model_tag": None, "model": None, "served_model_name": None, "api_server_count": None}
    slots = {"max_loras": None, "max_cpu_loras": None, "lora_modules": None, "enable_lora": True}
    other = {"host": "127.0.0.1", "default_mm_loras": None, "tool_call_parser": None}
    args = argparse.Namespace(**{**blank, **slots, **other, **given})
    complete(args, settings, on_cpu=False)
    return args


def test_a_name_is_served_under_itself_from_its_folder(data: Path) -> None:
    for flag in ("model_tag", "model"):
        args = served(Settings(data_dir=data), **{flag: "smollm2"})
        assert args.model == str(data / "models" / "smollm2")
        assert args.served_model_name == ["smollm2"]
        assert args.tool_call_parser is None
        assert base_model(args.model) == "smollm2"


def test_a_served_name_of_ones_own_wins(data: Path) -> None:
    args = served(Settings(data_dir=data), model_tag="smollm2", served_model_name=["mine"])
    assert args.served_model_name == ["mine"]


def test_the_built_in_model_may_be_named_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.startup.cpu_defaults.keep_to_threads", lambda *_: None)
    for given in ({}, {"model_tag": "whet-pebble"}):
        args = served(Settings(data_dir=tmp_path), **given)
        assert args.model == str(model_path())
        assert args.served_model_name == ["whet-pebble"]
        assert args.tool_call_parser == "hermes"
        assert base_model(args.model) == "whet-pebble"


def test_any_other_model_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "config.json").touch()
    for model in ("Qwen/Qwen3-4B", str(tmp_path)):
        args = served(Settings(data_dir=tmp_path), model_tag=model)
        assert args.model == base_model(model) == model
        assert args.served_model_name is None


def test_a_file_is_converted_once_and_served_under_its_own_name(
    gguf_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = choose(str(gguf_file), tmp_path)
    assert chosen.served_as == "My-Model.Q8_0"
    assert Path(chosen.model).parent == tmp_path / "models"
    name = f"gguf-{file_hash(gguf_file)[:16]}"
    assert base_model(chosen.model) == Path(chosen.model).name == name
    monkeypatch.setattr(named, "from_file", partial(from_file, convert=never))
    assert choose(str(gguf_file), tmp_path) == chosen


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ("smollm2", "smollm2 is not here yet: run `whet models get smollm2 --data-dir /"),
        ("smolm2", "no model named 'smolm2': did you mean smollm2"),
        ("SmolLM2", "did you mean smollm2"),
        ("./no.gguf", "no file ./no.gguf to read"),
        ("./no-folder", "no model at ./no-folder"),
        (
            "nosuch/",
            "no model at nosuch/: give a folder with config.json, or a name of `whet models",
        ),
        ("no/such/folder", "no model at no/such/folder"),
        (__file__, "no model at "),
        (str(Path(__file__).parent), "it holds no config.json"),
    ],
)
def test_what_is_not_there_is_refused_with_what_to_do(tmp_path: Path, model: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why.replace(".", r"\.")):
        check_model(model, tmp_path)


@pytest.mark.parametrize(
    "model",
    [
        "gpt2",
        "someone/smollm2",
        "Qwen/Qwen3-8B",
        "unsloth/Qwen3-0.6B-GGUF:IQ1_S",
        "s3://bucket/model",
    ],
)
def test_what_may_be_elsewhere_is_left_to_vllm(model: str, tmp_path: Path) -> None:
    assert choose(model, tmp_path).model == model


@pytest.mark.parametrize("command", ["distill", "eval"])
def test_a_name_that_is_not_there_ends_with_status_2_and_one_line(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--data-dir", str(tmp_path), "--embedder", "hashing"]
    assert main([command, "--model", "smollm2", *flags]) == 2
    assert f"run `whet models get smollm2 --data-dir {tmp_path}`" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--data-dir", "--data_dir"])
def test_a_server_says_so_before_it_takes_its_seconds(flag: str, tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "server.cli", "serve", "smollm2"]
    done = subprocess.run(
        [*command, flag, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert f"run `whet models get smollm2 --data-dir {tmp_path}`" in done.stderr.splitlines()[-1]
    assert not any(line.endswith(("| vllm", "| torch")) for line in done.stderr.splitlines())


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("nosuch/",), "no model at nosuch/"),
        (("--port", "9", "--model=nosuch/"), "no model at nosuch/"),
        (("--max_samples", "200"), "max_samples"),
        (("gpt2", "--confidence", "3"), "confidence"),
    ],
)
def test_what_can_be_known_of_a_command_line_is_known_without_vllm(
    words: tuple[str, ...],
    why: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("server.commands.serve._parser", lambda: pytest.fail("vLLM was asked"))
    assert main(["serve", *words, "--data-dir", str(tmp_path)]) == 2
    assert why in capsys.readouterr().err


def test_an_evaluation_serves_the_folder_on_another_memory_under_the_name(data: Path) -> None:
    folder = data / "models" / "smollm2"
    words = [str(folder), "--served-model-name", "smollm2"]
    assert serve_words("smollm2", Settings(data_dir=data)) == words
    assert serve_words("whet-pebble", Settings(data_dir=data)) == []
    assert serve_words("Qwen/Qwen3-4B", Settings(data_dir=data)) == ["Qwen/Qwen3-4B"]
    assert eval_versions._model_version("smollm2", folder) != "smollm2"


def test_a_distillation_names_the_model_as_the_server_does(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = "".join(
        json.dumps({"question": f"What is {i} lamp 5?", "answer": str(i + 5)}) + "\n"
        for i in range(64)
    )
    (tmp_path / "solved.jsonl").write_text(lines)
    flags = ["--data-dir", str(data), "--embedder", "hashing"]
    assert main(["memory", "import", str(tmp_path / "solved.jsonl"), *flags]) == 0
    capsys.readouterr()
    assert main(["distill", "--model", "smollm2", "--dry-run", "--json", *flags]) == 0
    assert json.loads(capsys.readouterr().out)["base_model"] == "smollm2"
