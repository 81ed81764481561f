"""The process that converts: `worker.py SOURCE FOLDER`. Ends with one line of JSON on stdout.

What nobody foresaw ends it with a traceback, of which the parent tells the last line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from adaptation.conversion.header import Header, read_header
from adaptation.conversion.room import check_room
from adaptation.errors import ConversionError


def main() -> int:
    """Convert and say what came of it."""
    source, folder = Path(sys.argv[1]), Path(sys.argv[2])
    try:
        header = read_header(source)
        check_room(source, folder, header)
        _convert(source, folder, header)
    except ConversionError as error:
        print(json.dumps({"error": str(error)}))
        return 1
    print(json.dumps({"licence": header.licence}))
    return 0


def _convert(source: Path, folder: Path, header: Header) -> None:
    """Torch and Transformers take seconds to import: only a file that can be read is worth them."""
    from transformers.utils import logging

    from adaptation.conversion.convert import convert

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    convert(source, folder, header)


if __name__ == "__main__":
    sys.exit(main())
