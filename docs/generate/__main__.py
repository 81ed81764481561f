"""`python -m docs.generate`: writes the pages of the reference that the code has left behind."""

from __future__ import annotations

import logging

from docs.generate.pages import PAGES, filled, path_of


def main() -> None:
    """Write what has changed, and say what was written."""
    logging.disable(logging.WARNING)  # what vLLM says of a server that answers nobody
    for name in PAGES:
        path = path_of(name)
        before = path.read_text("utf-8")
        after = filled(name, before)
        if after != before:
            path.write_text(after, "utf-8")
            print(f"written: docs/reference/{path.name}")


if __name__ == "__main__":
    main()
