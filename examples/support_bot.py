"""A support bot that learns from corrections.

Reads a question and, after the answer, what a person says to it: nothing when it is right, else the
right answer, which is remembered and given the next time.
"""

import argparse
import sys
from contextlib import closing

from whet.client import LOCAL, Whet

ROLE = {"role": "system", "content": "You answer questions of our shop's customers, briefly."}


def prompt(text: str) -> str | None:
    """Return a line of the person's; None at the end."""
    print(text, end="", flush=True)
    return line.strip() if (line := sys.stdin.readline()) else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default=LOCAL)
    with closing(Whet(parser.parse_args().url)) as whet:
        while question := prompt("customer: "):
            answer = whet.ask([ROLE, {"role": "user", "content": question}])
            memory = answer.report and answer.report.memory
            known = memory and memory.reused
            print(f"bot{' (known)' if known else ''}: {answer.text}")
            if right := prompt("right answer, or Enter: "):
                judged = whet.feedback(answer.id, "incorrect", right)
                print(f"[{judged.action}: {judged.reason}]")


if __name__ == "__main__":
    main()
