"""OpenAI's fine-tuning script, with another base URL: `pip install openai`, nothing of Whet's."""

import argparse
import sys
import time
from pathlib import Path

from openai import OpenAI

ENDED = ("succeeded", "failed", "cancelled")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("training_file", type=Path)
    parser.add_argument("question")
    parser.add_argument("--url", default="http://127.0.0.1:8000/v1")
    parser.add_argument("--key", default="none")
    parser.add_argument("--epochs", type=int)
    args = parser.parse_args()
    client = OpenAI(base_url=args.url, api_key=args.key)
    file = client.files.create(file=args.training_file, purpose="fine-tune")
    chosen = {"n_epochs": args.epochs or "auto"}
    job = client.fine_tuning.jobs.create(
        model=client.models.list().data[0].id,
        training_file=file.id,
        method={"type": "supervised", "supervised": {"hyperparameters": chosen}},
    )
    while job.status not in ENDED:
        time.sleep(2)
        job = client.fine_tuning.jobs.retrieve(job.id)
        print(job.status, file=sys.stderr)
    if job.fine_tuned_model is None:
        sys.exit(f"{job.status}: {job.error and job.error.message}")
    asked = [{"role": "user", "content": args.question}]
    for model in (job.model, job.fine_tuned_model):
        answer = client.chat.completions.create(model=model, messages=asked, max_tokens=64)
        print(f"{model}: {answer.choices[0].message.content}")


if __name__ == "__main__":
    main()
