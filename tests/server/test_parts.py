"""Parts or a text: the trainer gives a template what vLLM's renderer gives it."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from adaptation.learning.training.parts import walks_parts

with warnings.catch_warnings():  # of importing vLLM: others' deprecations
    warnings.simplefilter("ignore")
    import vllm
    from vllm.renderers.hf import _detect_content_format

OVER = "{% for m in messages %}BODY{% endfor %}"
TEMPLATES = {
    "a text": OVER.replace("BODY", "{{ m.content }}"),
    "parts": OVER.replace("BODY", "{% for p in m.content %}{{ p.text }}{% endfor %}"),
    "parts by key": OVER.replace("BODY", "{% for p in m['content'] %}{{ p.text }}{% endfor %}"),
    "filtered parts": OVER.replace(
        "BODY", "{% for p in m.content | selectattr('text') %}{{ p.text }}{% endfor %}"
    ),
    "some of the parts": OVER.replace("BODY", "{% for p in m.content[1:] %}{{ p }}{% endfor %}"),
    "some of the turns": (
        "{% set rest = messages[1:] %}{% set more = rest %}"
        "{% for m in more %}{% for p in m.content %}{{ p.text }}{% endfor %}{% endfor %}"
    ),
    "content of another thing": OVER.replace(
        "BODY", "{% for p in other.content %}{{ p }}{% endfor %}{{ m.content }}"
    ),
    "of the first turn": "{% for p in messages[0].content %}{{ p.text }}{% endfor %}",
    "a variable": OVER.replace(
        "BODY", "{% set content = m.content %}{% for p in content %}{{ p.text }}{% endfor %}"
    ),
    "another variable": OVER.replace(
        "BODY", "{% set said = m.content %}{% for p in said %}{{ p.text }}{% endfor %}"
    ),
    "a macro": (
        "{% macro show(parts) %}{% for p in parts %}{{ p.text }}{% endfor %}{% endmacro %}"
        + OVER.replace("BODY", "{{ show(m.content) }}")
    ),
    "a macro by keyword": (
        "{% macro show(n, parts) %}{% for p in parts %}{{ p.text }}{% endfor %}{% endmacro %}"
        + OVER.replace("BODY", "{{ show(1, parts=m.content) }}")
    ),
    "a macro of something else": (
        "{% macro show(content) %}{% for p in content %}{{ p }}{% endfor %}{% endmacro %}"
        + OVER.replace("BODY", "{{ show(m.tool_calls) }}{{ m.content }}")
    ),
    "a macro of a variable": (
        "{% macro show(content) %}{% for p in content %}{{ p.text }}{% endfor %}{% endmacro %}"
        + OVER.replace("BODY", "{% set content = m.content %}{{ show(content) }}")
    ),
    "a namespace": (
        "{% set ns = namespace(all=[]) %}{% set ns.all = messages %}"
        "{% for m in ns.all %}{{ m.content }}{% endfor %}"
        "{% set content = messages[0].content %}{% for p in content %}{{ p.text }}{% endfor %}"
    ),
    "turns with numbers": (
        "{% for n, m in messages %}{{ m.content }}{% endfor %}"
        "{% for p in content %}{{ p }}{% endfor %}"
    ),
    "what the assistant writes": OVER.replace(
        "BODY",
        "{% generation %}{% for p in m.content %}{{ p.text }}{% endfor %}{% endgeneration %}",
    ),
    "loops that end": OVER.replace(
        "BODY", "{% for p in m.content %}{{ p.text }}{% break %}{% endfor %}"
    ),
}
PACKAGED = sorted(Path(vllm.__file__).parent.rglob("*.jinja"))


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_takes_parts_where_vllm_says_so(name: str) -> None:
    expected = _detect_content_format(TEMPLATES[name], default="string") == "openai"
    assert walks_parts(TEMPLATES[name]) is expected


@pytest.mark.parametrize("path", PACKAGED, ids=lambda path: str(path.stem))
def test_templates_that_come_with_vllm_take_what_vllm_says(path: Path) -> None:
    expected = _detect_content_format(path.read_text(), default="string") == "openai"
    assert walks_parts(path.read_text()) is expected


def test_both_kinds_are_among_them() -> None:
    assert {walks_parts(source) for source in TEMPLATES.values()} == {True, False}
