#!/usr/bin/env bash
# xgrammar 0.2.8 (which vLLM 0.32.0 installs): beside `anyOf`, `oneOf` or `$ref`, the other keywords of
# a JSON schema are dropped silently.
#
# JSON Schema joins keywords that stand side by side: a value must satisfy each of them. The grammar
# that is compiled takes the alternatives alone. "One of two properties is required" is commonly
# written as `anyOf` beside `properties`, and it then lets any JSON through. vLLM looks for keywords
# that xgrammar cannot do, and gives such schemas to another library; it does not find these.
#
# expected: the grammar takes what the schema takes, or compiling says that it does not
# seen:     - `properties` beside an `anyOf` of `required`: 3, "text" and {"a": "text"} are taken
#           - `properties` beside `oneOf`: the property that is required is refused
#           - `maximum` beside `$ref`: 99 is taken where 5 is the most
#           No warning says so.
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

INTEGER, TEXT = {"type": "integer"}, {"type": "string"}
EITHER = {
    "type": "object",
    "properties": {"a": INTEGER, "b": INTEGER},
    "additionalProperties": False,
    "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
}
KINDS = {
    "type": "object",
    "properties": {"kind": TEXT},
    "required": ["kind"],
    "oneOf": [
        {"properties": {"count": INTEGER}, "required": ["count"]},
        {"properties": {"label": TEXT}, "required": ["label"]},
    ],
}
STARS = {
    "type": "object",
    "properties": {"stars": {"$ref": "#/$defs/number", "maximum": 5}},
    "required": ["stars"],
    "$defs": {"number": INTEGER},
}
CASES = [  # schema, value, whether the grammar took it when this was written
    (EITHER, {"a": 1}, True),
    (EITHER, {"a": "text"}, True),
    (EITHER, {}, True),
    (EITHER, "text", True),
    (EITHER, 3, True),
    (KINDS, {"kind": "k", "count": 1}, False),
    (KINDS, {"count": 1}, True),
    (STARS, {"stars": 5}, True),
    (STARS, {"stars": 99}, True),
]


def takes(schema, value):
    matcher = xgrammar.GrammarMatcher(COMPILER.compile_json_schema(json.dumps(schema)))
    return matcher.accept_string(json.dumps(value)) and matcher.accept_token(END)


print(f"xgrammar {version('xgrammar')}, jsonschema {version('jsonschema')}")
changed = wrong = 0
for schema, value, before in CASES:
    valid = jsonschema.Draft202012Validator(schema).is_valid(value)
    taken = takes(schema, value)
    changed += taken != before
    wrong += taken != valid
    beside = next(key for key in ("anyOf", "oneOf", "$defs") if key in schema)
    beside = {"$defs": "$ref"}.get(beside, beside)
    print(f"{beside:5} {json.dumps(value):28} expected: {valid!s:6} seen: {taken}")
print(f"{wrong} of {len(CASES)} differ")
if changed or not wrong:
    sys.exit("the behaviour has changed")
PYTHON
"$folder/venv/bin/python" "$folder/check.py"
