"""One line of a file that people have, turned into what memory keeps."""

from memory.lines.origin import Origin, origin_of_file
from memory.lines.parse import MAX_LINE_BYTES, Line, parse_line
from memory.lines.stream import entries

__all__ = ["MAX_LINE_BYTES", "Line", "Origin", "entries", "origin_of_file", "parse_line"]
