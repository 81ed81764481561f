"""Lines of OpenAI's two files, as a client uploads them."""

from __future__ import annotations

from typing import Any


def preference(question: str, preferred: str, other: str, **given: Any) -> dict[str, Any]:
    """A line of a preference file."""
    return {
        "input": {"messages": [{"role": "user", "content": question}], **given},
        "preferred_output": [{"role": "assistant", "content": preferred}],
        "non_preferred_output": [{"role": "assistant", "content": other}],
    }


def graded(question: str, **item: Any) -> dict[str, Any]:
    """A line of a reinforcement file: a prompt, and what its grader needs."""
    return {"messages": [{"role": "user", "content": question}], **item}
