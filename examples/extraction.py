"""Extraction to JSON in each tenant's own form.

A tenant's key says whose examples are taught and shown. `EXAMPLES` is JSON lines of `question`, a
text, and `answer`, its JSON; the first answer's keys become the schema. Texts come line by line.
"""

import argparse
import json
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from whet.client import LOCAL, Options, Whet

TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}


def options_for(answer: dict[str, Any]) -> Options:
    """Have a tenant's examples shown, and take only answers of the form that theirs have."""
    properties = {key: {"type": TYPES[type(value)]} for key, value in answer.items()}
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    verifier = {"type": "json_schema", "schema": {**schema, "additionalProperties": False}}
    return Options(strategy="demonstrations", verifiers=(verifier,))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("examples", type=Path)
    parser.add_argument("--url", default=LOCAL)
    parser.add_argument("--key", help="the tenant's; else $WHET_API_KEY")
    args = parser.parse_args()
    lines = [json.loads(line) for line in args.examples.read_text().splitlines()]
    options = options_for(json.loads(lines[0]["answer"]))
    with closing(Whet(args.url, api_key=args.key)) as whet:
        whet.teach(lines)
        for text in sys.stdin:
            answer = whet.ask(text.strip(), options)
            verdicts = answer.report and answer.report.verification
            fits = verdicts and all(each.passed for each in verdicts)
            print(answer.text if fits else "null")


if __name__ == "__main__":
    main()
