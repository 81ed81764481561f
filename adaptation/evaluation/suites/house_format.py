"""House format: the sum is ordinary, but every tenant writes its answer in a way of its own.

Only the exact text counts as right. A level is one more term of the sum.
"""

from random import Random

from adaptation.evaluation.suites.solved import ANSWER_MARK, Solved, final_answer, solved
from adaptation.evaluation.suites.words import JARGON
from adaptation.evaluation.suites.world import Shifted
from memory.identity.answers.options import AnswerOptions

FORMS = (
    "{word} {n}",
    "{n} {word}",
    "{word}: {n}",
    "{n} = {word}",
    "[{word} {n}]",
    "({n} {word})",
    "{word} {n} {other}",
    "{word} {other} {n}",
)


class HouseFormat:
    """One way of writing, with words of the house in it."""

    def __init__(self, seed: int) -> None:
        rng = Random(f"house format {seed}")
        self.task = f"house_format/{seed}"
        self.form = rng.choice(FORMS)
        self.word, self.other = rng.sample(JARGON, 2)

    def written(self, n: int) -> str:
        """A number as this house writes it."""
        return self.form.format(n=n, word=self.word, other=self.other)

    def draw(self, rng: Random, level: int) -> Solved:
        """A sum of `level` + 1 terms."""
        total = rng.randint(1, 60)
        expression, work = str(total), []
        for _ in range(level):
            n = rng.randint(1, 60)
            expression += f" + {n}"
            work.append(f"{total}+{n}={total + n}")
            total += n
        text = self.written(total)
        return solved(f"Add up {expression}.", f"{'. '.join(work)}.", text, self.task)


def check(problem: Solved, reply: str) -> bool:
    """Whether the reply's last answer line is the answer to the letter."""
    return final_answer(reply) == problem.answer


ANSWER = AnswerOptions(kind="regex", pattern=rf"{ANSWER_MARK}([^\n]*)")
SUITE = Shifted("house_format", HouseFormat, range(1, 4), 2, check, ANSWER)
