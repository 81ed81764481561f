#!/usr/bin/env bash
# math-verify 0.9.0: with its defaults, two numbers below half a millionth are equal, whatever they are.
#
# Numbers are compared after rounding to six decimals (`float_rounding`), not to six digits. Nothing
# in that depends on how large they are, and physics has small answers.
#
# expected: the charge of the electron, 1.6e-19, does not equal its mass, 9.1e-31, nor minus itself
# seen:     it equals both. 602000 and 602001, which differ by less than two parts in a million, are
#           told apart.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "math-verify[antlr4_13_2]==0.9.0"

cat >"$folder/check.py" <<'PYTHON'
import sys
from importlib.metadata import version

from math_verify import parse, verify

PAIRS = [
    (r"1.6\times 10^{-19}", r"9.1\times 10^{-31}"),
    (r"1.6\times 10^{-19}", r"-1.6\times 10^{-19}"),
    ("0.0000001", "0.0000004"),
    ("602000", "602001"),
]
SEEN = [True, True, True, False]

print(f"math-verify {version('math-verify')}")
print("expected: none of these pairs is equal")
verdicts = []
for gold, answer in PAIRS:
    verdicts.append(verify(parse(f"${gold}$"), parse(f"${answer}$")))
    print(f"seen:     {gold} and {answer} {'are equal' if verdicts[-1] else 'differ'}")
if verdicts != SEEN:
    sys.exit("the behaviour has changed")
PYTHON
"$folder/venv/bin/python" "$folder/check.py"
