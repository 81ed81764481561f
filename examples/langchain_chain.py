"""A LangChain chain on Whet: a prompt, voted answers in a batch, and what each was found by."""

import argparse

from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("questions", nargs="+")
    parser.add_argument("--url", default="http://127.0.0.1:8000/v1")
    parser.add_argument("--key", default="none")
    parser.add_argument("--model", default="whet-pebble")
    args = parser.parse_args()
    model = ChatOpenAI(
        base_url=args.url,
        api_key=args.key,
        model=args.model,
        extra_body={"adaptation": {"strategy": "consistency", "max_samples": 8}},
        include_response_headers=True,
    )
    chain = ChatPromptTemplate.from_messages([("user", "{question}")]) | model
    for reply in chain.batch([{"question": question} for question in args.questions]):
        headers = reply.response_metadata["headers"]
        print(f"{reply.content}  [{headers['x-whet-strategy']}]")


if __name__ == "__main__":
    main()
