"""What is known of vLLM's flags without vLLM is what vLLM says of them."""

from __future__ import annotations

import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from server.cli import main
from server.commands.serve import EXAMPLES, _early, _early_parser
from server.config import ConfigError
from server.installation import vllm_build
from server.terminal import CommandError
from server.vllm_flags import finding
from server.vllm_flags.description import Group, as_json, of_json
from server.vllm_flags.page import page
from server.vllm_flags.words import as_read

with warnings.catch_warnings():  # of importing vLLM: others' deprecations
    warnings.simplefilter("ignore")
    from server.engine import launch
    from server.engine.described import described

ROOT = Path(__file__).parents[2]


def without_help(groups: tuple[Group, ...]) -> list[Group]:
    """vLLM keeps the texts only where `--help` was on its command line."""
    return [
        replace(group, flags=tuple(replace(flag, help="") for flag in group.flags))
        for group in groups
    ]


def test_the_description_that_comes_with_whet_is_that_of_the_installed_release() -> None:
    shipped = of_json((finding.SHIPPED / f"{vllm_build()[1]}.json").read_text("utf-8"))
    assert without_help(shipped) == without_help(described(launch.make_parser()))
    flags = [flag for group in shipped for flag in group.flags]
    assert len(flags) > 250
    assert sum(bool(flag.help) for flag in flags) > 0.95 * len(flags)
    assert of_json(as_json(shipped)) == shipped


TAKEN = [
    "gpt2 --port 9000",
    "--max_model_len 1k --dtype=auto gpt2",
    "-tp 2 --enable-lora --no_enable_prefix_caching",
    "--gpu-memory-util 0.5",
    "--speculative-config.method ngram --speculative-config.num_speculative_tokens=3",
    "-O3 --compilation-config.mode=3 --compilation-config.custom_ops+ none",
    "-O 2 --hf-overrides {}",
    "--served-model-name a b c --api-key x y",
    "--max-lora-rank 32 --moe-backend FLASHINFER-CUTLASS --max-log-len None",
    "--hf-token --allowed-origins [] --seed -1",
    "--tool-call-parser hermes --enable-auto-tool-choice gpt2",
]
REFUSED = [
    "--nosuch 1",
    "gpt2 --por 9000 x y",
    "--port nine",
    "--dtype int7",
    "--max-lora-rank 33",
    "--max-model",
    "--max-log-len many",
    "--served-model-name",
    "--gpu-memory-utilization half",
    "-zz",
]


@pytest.mark.parametrize("line", TAKEN)
def test_a_line_that_vllm_takes_is_taken_early(line: str) -> None:
    taken = launch.make_parser().parse_args(line.split())
    assert _early(line.split()).model_tag == taken.model_tag


@pytest.mark.parametrize("line", REFUSED)
def test_a_line_that_vllm_refuses_is_refused_early(line: str) -> None:
    with pytest.raises(SystemExit):
        launch.make_parser().parse_args(line.split())
    with pytest.raises(SystemExit):
        _early(line.split())


SLIPS = """
import sys
from server.cli import main
for line in sys.argv[1:]:
    status = main(["serve", *line.split()])
    print(f"status {status}", flush=True)
    print(f"status {status}", file=sys.stderr, flush=True)
print(sorted({"vllm", "torch"} & set(sys.modules)))
"""


def test_slips_and_help_cost_no_import_of_vllm(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    slips = {
        "--help": "",
        "--help=all": "",
        "--print-config": "",
        "--prot 80": "did you mean --port?",
        "--strateg auto": "did you mean --strategy?",
        "--port 99999": "--port 99999 is no port",
        "--port x": "'x' is no whole number",
        f"--data-dir {tmp_path}/file": f"{tmp_path}/file is a file; give a folder",
        f"{tmp_path}": "it holds no config.json",
        "--model /no/such": "no model at /no/such",
        "--refusals /no/such": "refusals = /no/such: there is no such file",
        "--chat-template /no/such": "--chat-template /no/such: there is no such file",
        "--max-samples 0": "max_samples",
        "--config /no/such.yaml": "/no/such.yaml: cannot be read",
        "--host 256.0.0.1 --api-key x": "give another --host",
        f"--reward-model {tmp_path}": "its config.json cannot be read",
        f"--refusals {tmp_path}": "it is no file; give a file",
        "--model=": "the model has an empty name",
        "--data-dir=": "it is empty: give a path",
        "--max-model-len 8kk": "--max-model-len 8kk is no length",
        "--max-model-len -5": "--max-model-len -5 is no length",
        "--gpu-memory-utilization 3": "--gpu-memory-utilization 3 is no share",
        "--lora-modules mine": "give NAME=FOLDER",
        "--lora-modules mine=/no/such": "there is no folder /no/such",
        "--dtype float17": "did you mean float16?",
    }
    command = [sys.executable, "-c", SLIPS, *slips]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]", "what was imported"
    said = iter(done.stderr.splitlines())
    for slip, why in slips.items():
        lines = list(iter(lambda: next(said), f"status {2 if why else 0}"))
        assert len(lines) == bool(why), (slip, lines)
        assert all(why in line for line in lines), (slip, lines)


def test_help_shows_whets_flags_first_and_then_vllms_by_group() -> None:
    parser = _early_parser()
    overview = page(parser, "", EXAMPLES)
    assert overview is not None
    lines = overview.splitlines()
    places = [lines.index(next(line for line in lines if line.startswith(start))) for start in (
        "Whet's flags", "  --data-dir", "vLLM's flags", "  Frontend (", "examples:",
    )]  # fmt: skip
    assert places == sorted(places)
    assert "--gpu-memory-utilization" not in overview
    assert "--max-lora-rank" in (page(parser, "LoRAConfig", "") or "")
    assert "(default: 32)" in (page(parser, "max_lora_rank", "") or ""), "Whet's own default"
    assert "--max-samples" in (page(parser, "whet", "") or "")
    everything = page(parser, "all", "") or ""
    assert all(flag in everything for flag in parser._option_string_actions)
    assert page(parser, "nosuch", "") is None


def test_help_about_nothing_that_there_is_is_a_slip(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--help=nosuch"]) == 2
    assert "'nosuch'" in capsys.readouterr().err


def test_what_vllms_yaml_says_comes_before_the_other_flags(tmp_path: Path) -> None:
    file = tmp_path / "vllm.yaml"
    file.write_text(
        "model: gpt2\nport: 9000\nenforce-eager: true\nenable-lora: false\nnosuch: false\n"
        "api-key: [a, b]\nhf-overrides: {x: 1}\n"
    )
    words = as_read(["--port", "9001", "--config", str(file)], {"--no-enable-lora"})
    told = "--model gpt2 --port 9000 --enforce-eager --no-enable-lora --api-key a b --hf-overrides"
    assert words == [*told.split(), '{"x": 1}', "--port", "9001"]
    args = _early(["--port", "9001", "--config", str(file)])
    assert (args.model, args.port, args.api_key) == ("gpt2", 9001, ["a", "b"])
    file.write_text("- a list")
    with pytest.raises(ConfigError, match="not a table"):
        as_read(["gpt2", "--config", str(file)], set())


def test_another_release_is_asked_once_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    groups = (Group("Frontend", "", ()),)

    def ask(build: str) -> str:
        asked.append(build)
        return as_json(groups)

    monkeypatch.setattr(finding, "vllm_build", lambda: ("vllm", "0.32.99"))
    monkeypatch.setattr(finding, "_asked", ask)
    assert [finding.vllm_flags(tmp_path) for _ in range(2)] == [groups, groups]
    assert asked == ["vllm 0.32.99"]
    next(tmp_path.rglob("0.32.99.json")).write_text('[{"title": "half')
    assert finding.vllm_flags(tmp_path) == groups, "what is not whole is asked again"
    assert len(asked) == 2


def test_a_release_that_says_something_else_is_refused_in_a_sentence_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "vllm_build", lambda: ("vllm", "0.32.99"))
    monkeypatch.setattr(finding, "_asked", lambda build: "plugin loaded\n[]")
    with pytest.raises(CommandError, match="does not tell its flags"):
        finding.vllm_flags(tmp_path)
    assert not list(tmp_path.rglob("*.json"))
