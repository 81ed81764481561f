"""Tables as wide as there is room for: no word is broken, and no name cut off.

Knows widths, and nothing of what the texts say or of where they are printed.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

GAP = 2
"""Characters between two columns."""
INDENT = " " * 4
"""Before what stands below its row."""

Row = Sequence[str]


def laid_out(names: Row, rows: Sequence[Row], width: int) -> RenderableType:
    """Return a table for `width` characters; the columns it has no room for are told below rows."""
    columns = list(zip(names, *rows, strict=True))
    natural = [max(map(cell_len, texts)) for texts in columns]
    least = [max(cell_len(word) for text in texts for word in text.split(" ")) for texts in columns]
    room = width - _taken(least)
    if room < 0:
        return Group(*_lines(names, rows, natural, width))
    wanted = [most - fewest for most, fewest in zip(natural, least, strict=True)]
    share = min(1.0, room / max(1, sum(wanted)))
    widths = [fewest + int(more * share) for fewest, more in zip(least, wanted, strict=True)]
    sized = zip(names, widths, strict=True)
    headings = (Column(name, width=size, overflow="fold") for name, size in sized)  # no ellipsis
    table = Table(*headings, box=None, padding=(0, GAP, 0, 0), pad_edge=False)
    for row in rows:
        table.add_row(*row)
    return table


def _lines(
    names: Row, rows: Sequence[Row], natural: Sequence[int], width: int
) -> Iterator[RenderableType]:
    """Yield a line for each row, of as many columns as fit, and what is left of it below."""
    many = max(1, sum(_taken(natural[: i + 1]) <= width for i in range(len(names))))

    def line(cells: Row) -> str:
        sized = zip(cells, natural[:many], strict=False)
        return (" " * GAP).join(set_cell_size(cell, size) for cell, size in sized).rstrip()

    yield Text(line(names), style="bold", no_wrap=True, overflow="ignore")
    for row in rows:
        yield Text(line(row), no_wrap=True, overflow="ignore")
        left = zip(names[many:], row[many:], strict=True)
        if below := "; ".join(f"{name}: {cell}" for name, cell in left if cell):
            yield Text(_indented(below, width), no_wrap=True, overflow="ignore")


def _indented(text: str, width: int) -> str:
    return textwrap.fill(
        text,
        max(width, 2 * len(INDENT)),
        initial_indent=INDENT,
        subsequent_indent=INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _taken(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)
