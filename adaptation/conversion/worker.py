"""The process that converts: `worker.py SOURCE FOLDER`. Ends with one line of JSON on stdout.

What nobody foresaw ends it with a traceback, of which the parent tells the last line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from adaptation.errors import ConversionError


def main() -> int:
    """Convert and say what came of it."""
    from transformers.utils import logging

    from adaptation.conversion.convert import convert

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        header = convert(Path(sys.argv[1]), Path(sys.argv[2]))
    except ConversionError as error:
        print(json.dumps({"error": str(error)}))
        return 1
    print(json.dumps({"licence": header.licence}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
