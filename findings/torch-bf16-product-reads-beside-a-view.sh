#!/usr/bin/env bash
# torch 2.13.0 (CPU): a bf16 matrix product reads numbers beside the view that it is given.
#
# x is a view of the first columns of a wider tensor, whose other columns hold NaN. oneDNN loads whole
# blocks of a row, and multiplies what lies beyond the view by zeros: 0 · NaN is NaN.
#
# expected: every number of the product is finite, as x and w are
# seen:     where the columns of x are no multiple of 32, some are NaN (needs AVX512-BF16 or AMX)
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy "torch==2.13.0"

cat >"$folder/check.py" <<'PYTHON'
import sys

import torch

if not torch.cpu.get_capabilities().get("avx512_bf16"):
    sys.exit("this processor does not multiply bf16")


def spoiled(columns: int) -> bool:
    wide = torch.full((24, columns + 16), float("nan"), dtype=torch.bfloat16)
    x = wide[:, :columns]
    x.copy_(torch.ones(24, columns))
    return bool((x @ torch.ones(columns, 60, dtype=torch.bfloat16)).isnan().any())


odd, even = [n for n in range(33, 96, 2) if spoiled(n)], [n for n in (32, 64, 96) if spoiled(n)]
print(f"torch {torch.__version__}\nexpected: no product is NaN\nseen:     with {odd} columns it is")
if not odd or even:
    sys.exit("the behaviour has changed")
PYTHON
"$folder/venv/bin/python" "$folder/check.py"
