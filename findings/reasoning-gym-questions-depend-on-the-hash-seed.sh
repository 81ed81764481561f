#!/usr/bin/env bash
# reasoning-gym 0.1.25: some data sets draw other questions in each process, though their seed is set.
#
# A data set is made from a name, a seed and a size, and is meant to be the same wherever these are.
# Three of them choose from a Python set, or in its order, and strings in a set stand in an order that
# PYTHONHASHSEED decides, which is random for each process unless it is set.
#
# expected: name, seed and size decide the questions
# seen:     isomorphic_strings, polynomial_multiplication and ransom_note ask other ones under each of
#           three hash seeds; chain_sum and word_sorting, beside them, do not. Scores of two runs are
#           then scores of two data sets.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "reasoning-gym==0.1.25"

cat >"$folder/draw.py" <<'PYTHON'
import hashlib
import sys

import reasoning_gym

data = reasoning_gym.create_dataset(sys.argv[1], seed=42, size=20)
questions = "\0".join(entry["question"] for entry in data)
again = "\0".join(entry["question"] for entry in data)
assert questions == again, "even one process draws others the second time"
print(hashlib.sha256(questions.encode()).hexdigest()[:12])
PYTHON

drawn() { # the number of different data sets under three hash seeds
    for seed in 1 2 3; do
        PYTHONHASHSEED=$seed "$folder/venv/bin/python" "$folder/draw.py" "$1"
    done | sort -u | wc -l
}

echo "reasoning-gym $("$folder/venv/bin/pip" list 2>/dev/null | awk '/^reasoning.gym/ {print $2}')"
echo "expected: one data set for each name, under any hash seed"
changed=0
for family in isomorphic_strings:3 polynomial_multiplication:3 ransom_note:3 chain_sum:1 \
    word_sorting:1; do
    name=${family%:*}
    number=$(drawn "$name")
    echo "seen:     $name: $number under three"
    [[ $number -eq ${family#*:} ]] || changed=1
done
if [[ $changed -ne 0 ]]; then
    echo "the behaviour has changed" >&2
    exit 1
fi
