"""How a user's line is put before the model: as it was taught to read.

The model was trained on few wordings. A short line of a user's is brought to these, by the chat
template and, with the same steps, in training: signs between digits stand apart (`2+2`), `plus` and
`minus` are signs, `What's` is `What is`, a greeting before a question is left out, and a word alone
begins with a capital. What the line says stays; no line is known in advance. Longer texts, and
those of several lines, pass as they are.
"""

from __future__ import annotations

LONGEST = 80
"""Characters of a line that is read so."""
GREETINGS = tuple(f"{word}{mark} " for word in ("hello", "hi", "hey") for mark in ",!.")
ASKING = ("who", "what", "how")
"""A greeting is left out before these; with a name after it, it is answered with the name."""
WORDINGS = (("What's ", "What is "), ("what's ", "what is "), (" plus ", " + "), (" minus ", " - "))
SIGNS = ("+", "-", "*")

READ = f"""\
{{%- macro apart(text, sign) -%}}
{{%- for part in text.split(sign) -%}}
{{{{- part -}}}}
{{%- if not loop.last -%}}
{{%- set between = part[-1:].isdigit() and loop.nextitem[:1].isdigit() -%}}
{{{{- ' ' + sign + ' ' if between else sign -}}}}
{{%- endif -%}}
{{%- endfor -%}}
{{%- endmacro -%}}
{{%- macro read(text) -%}}
{{%- if text | length > {LONGEST} or '\\n' in text -%}}
{{{{- text -}}}}
{{%- else -%}}
{{%- set line = namespace(text=text) -%}}
{{%- for greeting in {list(GREETINGS)} -%}}
{{%- set rest = line.text[greeting | length:] -%}}
{{%- if line.text.lower().startswith(greeting) and rest.lower().startswith({ASKING}) -%}}
{{%- set line.text = rest[:1].upper() + rest[1:] -%}}
{{%- endif -%}}
{{%- endfor -%}}
{{%- for said, meant in {list(WORDINGS)} -%}}
{{%- set line.text = line.text.replace(said, meant) -%}}
{{%- endfor -%}}
{{%- for sign in {list(SIGNS)} -%}}
{{%- set line.text = apart(line.text, sign) -%}}
{{%- endfor -%}}
{{{{- line.text if ' ' in line.text else line.text[:1].upper() + line.text[1:] -}}}}
{{%- endif -%}}
{{%- endmacro -%}}
"""
"""The same for the template, which calls `read`."""


def read(text: str) -> str:
    """Return a user's line as the model is shown it."""
    if len(text) > LONGEST or "\n" in text:
        return text
    for greeting in GREETINGS:
        rest = text[len(greeting) :]
        if text.lower().startswith(greeting) and rest.lower().startswith(ASKING):
            text = _capital(rest)
    for said, meant in WORDINGS:
        text = text.replace(said, meant)
    for sign in SIGNS:
        text = _apart(text, sign)
    return text if " " in text else _capital(text)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _apart(text: str, sign: str) -> str:
    first, *others = text.split(sign)
    whole, before = first, first
    for part in others:
        between = before[-1:].isdigit() and part[:1].isdigit()
        whole += (f" {sign} " if between else sign) + part
        before = part
    return whole
