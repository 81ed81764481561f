#!/usr/bin/env bash
# xgrammar 0.2.8 (which vLLM 0.32.0 installs): `pattern` must match a whole string, where JSON Schema
# asks that it match somewhere in it.
#
# Patterns that begin with ^ or end with $ alone are common: "^https://" for an address. A model that
# is held to such a grammar can write the eight characters and no more.
#
# expected: "^https://" takes "https://a.org", "[0-9]{4}" takes "in 2024", as a validator does
# seen:     both are refused; "https://" and "2024" alone are taken. No warning.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "xgrammar==0.2.8" "torch==2.13.0" "jsonschema==4.26.0"

cat >"$folder/check.py" <<'PYTHON'
import json
import sys
from importlib.metadata import version

import jsonschema
import xgrammar

END = 256
TOKENIZER = xgrammar.TokenizerInfo(  # one token for each byte
    [bytes([value]) for value in range(END)] + [b"</s>"],
    vocab_type=xgrammar.VocabType.RAW,
    stop_token_ids=[END],
)
COMPILER = xgrammar.GrammarCompiler(TOKENIZER)
CASES = [  # pattern, text, whether the grammar took it when this was written
    ("^https://", "https://", True),
    ("^https://", "https://a.org", False),
    ("[0-9]{4}", "2024", True),
    ("[0-9]{4}", "in 2024", False),
    (r"\.png$", ".png", True),
    (r"\.png$", "cat.png", False),
    ("^(yes|no)$", "yes", True),
    ("^(yes|no)$", "maybe", False),
]


def takes(schema, text):
    matcher = xgrammar.GrammarMatcher(COMPILER.compile_json_schema(json.dumps(schema)))
    return matcher.accept_string(json.dumps(text)) and matcher.accept_token(END)


print(f"xgrammar {version('xgrammar')}, jsonschema {version('jsonschema')}")
changed = wrong = 0
for pattern, text, before in CASES:
    schema = {"type": "string", "pattern": pattern}
    valid = jsonschema.Draft202012Validator(schema).is_valid(text)
    taken = takes(schema, text)
    changed += taken != before
    wrong += taken != valid
    print(f"{pattern:12} {text:14} expected: {valid!s:6} seen: {taken}")
print(f"{wrong} of {len(CASES)} differ")
if changed or not wrong:
    sys.exit("the behaviour has changed")
PYTHON
"$folder/venv/bin/python" "$folder/check.py"
