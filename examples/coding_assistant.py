"""A coding assistant: tickets in, fixes out that pass the tickets' tests, and a LoRA every night.

A ticket is a line of JSON with `ticket`, `code` and `tests`. Each fix runs in the server's sandbox;
one that passes is remembered as verified, and those are what the nightly job learns from.
"""

import argparse
import json
import sys
from contextlib import closing
from pathlib import Path

from whet.client import LOCAL, Options, Whet

ASK = (
    "{ticket}\n\n```python\n{code}\n```\n\nReply with the whole corrected code in one Python block."
)


def fixed(whet: Whet, ticket: dict[str, str]) -> str | None:
    """Return a reply whose code passes the tests, None where no sample does."""
    verifier = {"type": "python", "tests": ticket["tests"]}
    options = Options.model_validate({"verifiers": [verifier]})
    answer = whet.ask(ASK.format_map(ticket), options)
    verdicts = answer.report and answer.report.verification
    return answer.text if verdicts and all(each.passed for each in verdicts) else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tickets", type=Path)
    parser.add_argument("--url", default=LOCAL)
    parser.add_argument("--distil", action="store_true", help="learn from what passed, as a job")
    args = parser.parse_args()
    with closing(Whet(args.url)) as whet:
        tickets = [json.loads(line) for line in args.tickets.read_text().splitlines()]
        fixes = [fixed(whet, ticket) for ticket in tickets]
        for ticket, fix in zip(tickets, fixes, strict=True):
            print(f"# {ticket['ticket']}\n{fix or 'no fix that passes: this one is yours'}\n")
        if args.distil:
            job = whet.openai.post("/jobs", body={"kind": "distill"}, cast_to=object)
            print(f"learning: {job['id']}")
    sys.exit(0 if all(fixes) else 1)


if __name__ == "__main__":
    main()
