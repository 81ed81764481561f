#!/usr/bin/env bash
# math-verify 0.9.0: the base that is written under a number is dropped before comparing.
#
# Answers to "write 5 in base 2" are commonly 101_2. The subscript is parsed away, so that a number is
# taken for the decimal one with the same digits.
#
# expected: 101_2 equals 5; it does not equal 101_3, which is 10, nor 101
# seen:     the other way round: 101_2 equals 101_3, 101_8 and 101, and does not equal 5. A question
#           about bases is then scored right for an answer in the wrong base.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "math-verify[antlr4_13_2]==0.9.0"

cat >"$folder/check.py" <<'PYTHON'
import sys
from importlib.metadata import version

from math_verify import parse, verify

PAIRS = [  # gold, answer, whether they are equal
    ("101_2", "5", True),
    ("101_2", "101_3", False),
    ("101_{2}", "101_{8}", False),
    ("101_2", "101", False),
    ("12_{5}", "12_{7}", False),
    ("12_{5}", "13_{5}", False),
]
EXPECTED = [equal for *_, equal in PAIRS]
SEEN = [False, True, True, True, True, False]

print(f"math-verify {version('math-verify')}")
verdicts = []
for gold, answer, equal in PAIRS:
    verdicts.append(verify(parse(f"${gold}$"), parse(f"${answer}$")))
    print(f"{gold:8} and {answer:8} expected: {equal!s:6} seen: {verdicts[-1]}")
assert SEEN != EXPECTED
if verdicts != SEEN:
    sys.exit("the behaviour has changed")
PYTHON
"$folder/venv/bin/python" "$folder/check.py"
