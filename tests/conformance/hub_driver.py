"""Runs inside a Hub client's own environment: evaluates expressions on `huggingface_hub`, one a line.

In: a JSON text, the expression. Out: {"value": …} or {"raised": [class names], "said": text}, and under
"logged" what the client showed its user meanwhile.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
from typing import Any


class Shown(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def main() -> None:
    """Answer every line of the standard input."""
    hub: Any = importlib.import_module("huggingface_hub")
    errors: Any = importlib.import_module("huggingface_hub.errors")
    shown = Shown()
    logging.getLogger("huggingface_hub").addHandler(shown)
    names = {"hub": hub, "api": hub.HfApi(), "fs": hub.HfFileSystem(), "errors": errors}
    for line in sys.stdin:
        shown.lines = []
        answer: dict[str, Any]
        try:
            answer = {"value": eval(json.loads(line), names)}
        except Exception as error:  # noqa: BLE001 - told to the test
            answer = {"raised": [kind.__name__ for kind in type(error).__mro__], "said": str(error)}
        print(json.dumps({**answer, "logged": shown.lines}, default=str), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
