"""One line of a file that people have, turned into what memory keeps."""

from memory.lines.parse import MAX_LINE_BYTES, Line, parse_line
from memory.lines.stream import entries

__all__ = ["MAX_LINE_BYTES", "Line", "entries", "parse_line"]
