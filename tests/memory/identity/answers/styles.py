"""Closing words of chat models by family, with a place for a value: the corpus by rule.

`{p}` stands for the value as plain text, `{l}` for it as LaTeX. What each reply says besides the
value was written down as such models write it, not as the extractor wants it.
"""

from __future__ import annotations

from collections.abc import Iterator

VALUES = (
    ("42", "42", "42"),
    ("1234", "1,234", "1{,}234"),
    ("-7", "-7", "-7"),
    ("3/4", "3/4", r"\frac{3}{4}"),
    ("-3/4", "−3/4", r"-\frac{3}{4}"),
    ("0.75", "0.75", "0.75"),
    ("7/2", "3 1/2", r"3\frac{1}{2}"),
    ("15%", "15%", r"15\%"),
    ("$12.50", "$12.50", r"\$12.50"),
    ("3·10^8", "3.0 × 10^8", r"3.0 \times 10^{8}"),
    ("2√3", "2√3", r"2\sqrt{3}"),
    ("5+3i", "5 + 3i", "5+3i"),
    ("(2,3)", "(2, 3)", r"\left(2, 3\right)"),
    ("[1,5)", "[1, 5)", "[1,5)"),
    ("25 km", "25 km", r"25\text{ km}"),
    ("6π", "6π", r"6\pi"),
    ("2:5", "2:5", "2:5"),
    ("x^2+1", "x² + 1", "x^2+1"),
)

STYLES = {
    "llama": (
        "The final answer is: $\\boxed{{{l}}}$",
        "## Step 1: Understand\nWe need the value.\n\n## Step 2: Compute\nIt follows directly.\n\n"
        "The final answer is: $\\boxed{{{l}}}$",
        "After simplifying, we find that the answer is {p}.",
    ),
    "qwen": (
        "Therefore, the value is:\n\\[\n\\boxed{{{l}}}\n\\]",
        "<think>\nPerhaps \\boxed{{99}}? Let me check: no.\n</think>\n\nThe result is **{p}**.",
        "So, the final result is \\( {l} \\).",
    ),
    "deepseek": (
        "<think>\nThe answer is 11? No.\n</think>\n\n**Answer:** $\\boxed{{{l}}}$",
        "Hmm, 11? Wait.\n</think>\n\nHence the required value is $\\boxed{{{l}}}$.",
        "### Solution\nIt follows from the definition.\n\n**Final Answer:** {p}",
    ),
    "mistral": (
        "[THINK]Is it 11? I doubt it.[/THINK]The value is ${l}$.",
        "Answer: {p}",
        "The correct value is {p}. I hope this helps!",
    ),
    "gemma": (
        "Final Answer: The final answer is $\\boxed{{{l}}}$",
        "Here's how to get there:\n\n* Write it down.\n* Simplify.\n\nThe result is **{p}**.",
        "**Answer:** {p}",
    ),
    "gpt_oss": (
        "analysisMaybe 11. The answer is 11?assistantfinalThe value is **{p}**.",
        "<|channel|>analysis<|message|>\\boxed{{11}}?<|end|><|start|>assistant<|channel|>final"
        "<|message|>\\[\n\\boxed{{{l}}}\n\\]",
        "**{p}**",
    ),
    "smollm": (
        "The answer to your question is {p}.",
        "The value is {p}! Feel free to ask if you have other questions.",
    ),
    "phi": (
        "#### {p}",
        "Thus, the answer is ${l}$.",
        "So the value equals {p}.",
    ),
}  # fmt: skip


def styled() -> Iterator[tuple[str, str, str]]:
    """Yield family, value and reply; every style with every value that reads well in it."""
    for family, styles in STYLES.items():
        for style in styles:
            for value, plain, latex in VALUES:
                yield family, value, style.format(p=plain, l=latex)
