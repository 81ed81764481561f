#!/usr/bin/env bash
# torch 2.13.0 (CPU): a bf16 matrix product is compiled anew for every number of rows.
#
# oneDNN makes code for the shapes that it is given, and keeps it by these shapes. Products in float32
# go by another library, which does not. Where batches have another number of rows each, as the steps
# of a training or the tokens of a decoding have, a small model spends longer on compiling than on
# multiplying; rows that are filled up to few sizes are multiplied faster.
#
# expected: a product costs about what its rows cost, whether a batch of their number came before
# seen:     200 numbers of rows are 200 compilations, and a product takes some ten times as long the
#           first time as the second (needs AVX512-BF16 or AMX)
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy "torch==2.13.0"

cat >"$folder/check.py" <<'PYTHON'
import statistics
import sys
import time

import torch

if not torch.cpu.get_capabilities().get("avx512_bf16"):
    sys.exit("this processor does not multiply bf16")
torch.set_num_threads(1)
dtype = getattr(torch, sys.argv[1])
w = torch.randn(192, 192, dtype=dtype)
times = [], []
for rows in range(33, 233):
    x = torch.randn(rows, 192, dtype=dtype)
    for some in times:
        began = time.perf_counter()
        x @ w
        some.append(time.perf_counter() - began)
first, second = map(statistics.median, times)
print(f"{dtype}: {first / second:.1f} times as long the first time as the second", file=sys.stderr)
PYTHON

compiled() {
    ONEDNN_VERBOSE=profile_create "$folder/venv/bin/python" "$folder/check.py" "$1" |
        grep -c 'create:cache_miss.*matmul' || true
}

bf16=$(compiled bfloat16)
float32=$(compiled float32)
printf 'torch 2.13.0\nexpected: few products are compiled\nseen:     %s in bf16, %s in float32\n' \
    "$bf16" "$float32"
if [ "$bf16" != 200 ] || [ "$float32" != 0 ]; then
    echo "the behaviour has changed" >&2
    exit 1
fi
