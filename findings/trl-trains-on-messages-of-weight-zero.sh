#!/usr/bin/env bash
# TRL 1.16.0: SFTTrainer trains on assistant messages that carry `"weight": 0`.
#
# In the JSONL of OpenAI's fine-tuning a message has a `weight`, and 0 keeps it as context without
# learning it: how a wrong turn is shown together with its correction. TRL takes the same `messages`,
# accepts the field, and even with `assistant_only_loss=True` computes the loss on every assistant turn.
#
# expected: labels of a message with weight 0 are masked (-100), or the field is refused
# seen:     its tokens are labels like those of weight 1; no warning
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "trl==1.16.0" "transformers==5.19.0" "torch==2.13.0"

cat >"$folder/check.py" <<'PYTHON'
import os
import sys
import warnings
from importlib.metadata import version

os.environ["HF_HUB_OFFLINE"] = "1"

from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import SFTConfig, SFTTrainer

WORDS = ["<s>", "</s>", "<unk>", "<pad>", "wrong", "right", "question", "correction"]
TEMPLATE = (
    "{% for message in messages %}{% if message.role == 'assistant' %} <s> "
    "{% generation %}{{ message.content }} </s>{% endgeneration %}"
    "{% else %} {{ message.content }}{% endif %}{% endfor %}"
)
MESSAGES = [
    {"role": "user", "content": "question", "weight": None},
    {"role": "assistant", "content": "wrong", "weight": 0},
    {"role": "user", "content": "correction", "weight": None},
    {"role": "assistant", "content": "right", "weight": 1},
]

words = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=words, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>"
)
tokenizer.chat_template = TEMPLATE
model = LlamaForCausalLM(
    LlamaConfig(
        vocab_size=len(WORDS), hidden_size=32, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=2, bos_token_id=0, eos_token_id=1,
        pad_token_id=3,
    )  # fmt: skip
)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    trainer = SFTTrainer(
        model=model,
        processing_class=tokenizer,
        train_dataset=Dataset.from_list([{"messages": MESSAGES}]),
        args=SFTConfig(
            output_dir=sys.argv[1], use_cpu=True, bf16=False, report_to=[],
            assistant_only_loss=True, disable_tqdm=True,
        ),
    )  # fmt: skip
    batch = trainer.data_collator([trainer.train_dataset[0]])
learned = [WORDS[label] for label in batch["labels"][0].tolist() if label != -100]
warned = [str(warning.message) for warning in caught if "weight" in str(warning.message).lower()]

print(f"trl {version('trl')}, transformers {version('transformers')}")
print("expected: the loss is computed on ['right', '</s>']")
print(f"seen:     it is computed on {learned}; warnings: {len(warned)}")
if learned != ["wrong", "</s>", "right", "</s>"] or warned:
    sys.exit("the behaviour has changed")
PYTHON
"$folder/venv/bin/python" "$folder/check.py" "$folder/out"
