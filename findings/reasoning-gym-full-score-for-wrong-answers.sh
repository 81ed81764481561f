#!/usr/bin/env bash
# reasoning-gym 0.1.25: two scorers give the full score to answers that are plainly wrong.
#
# `game_of_life_halting` asks whether a board comes to rest, "True" or "False". Its scorer compares
# bool(answer) with bool(solution), and both are strings: any text that is not empty is true.
# `puzzle24` names four numbers to make 24 of. Its scorer looks for four numbers and for 24, and never
# whether they are the four that were named.
#
# expected: 1.0 for a right answer, less for a wrong one
# seen:     game_of_life_halting gives 1.0 to "True" and to "False" for every board, and to "no idea".
#           puzzle24 gives 1.0 to one and the same expression, 6*4*1*1, for every puzzle. A model that
#           is trained on these rewards learns to answer without reading.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "reasoning-gym==0.1.25"

cat >"$folder/check.py" <<'PYTHON'
import re
import sys
from importlib.metadata import version

import reasoning_gym

boards = reasoning_gym.create_dataset("game_of_life_halting", seed=1, size=20)
solutions = [entry["answer"] for entry in boards]
board_scores = {
    answer: [boards.score_answer(answer, entry) for entry in boards]
    for answer in ("True", "False", "no idea")
}

ANSWER = "6*4*1*1"
puzzles = reasoning_gym.create_dataset("puzzle24", seed=1, size=20)
wrong = [  # puzzles for which the answer uses numbers that were not given
    entry
    for entry in puzzles
    if sorted(map(int, re.findall(r"\d+", entry["answer"]))) != [1, 1, 4, 6]
]
puzzle_scores = [puzzles.score_answer(ANSWER, entry) for entry in wrong]

print(f"reasoning-gym {version('reasoning-gym')}")
print("expected: less than 1.0 for a wrong answer")
print(f"seen, game_of_life_halting: the solutions are {sorted(set(solutions))}; for all 20 boards,")
for answer, scores in board_scores.items():
    print(f"    {answer!r} scores {sorted(set(scores))}")
print(f"seen, puzzle24: {ANSWER} for {len(wrong)} puzzles with other numbers scores", end=" ")
print(sorted(set(puzzle_scores)))
assert set(solutions) == {"True", "False"} and len(wrong) >= 10
if set(puzzle_scores) != {1.0} or {s for each in board_scores.values() for s in each} != {1.0}:
    sys.exit("the behaviour has changed")
PYTHON
"$folder/venv/bin/python" "$folder/check.py"
