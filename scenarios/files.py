"""Small helpers for the files of a run folder."""

import csv
import os
from pathlib import Path
from typing import cast


def replace_file(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part."""
    part = path.with_suffix(path.suffix + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file of a run folder."""
    with path.open(encoding="utf-8", newline="") as file:
        return cast(list[dict[str, str]], list(csv.DictReader(file)))


def whole_lines(path: Path) -> str:
    """The whole lines of a file: that of a killed run may end in the midst of one. None: empty."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return text[: text.rfind("\n") + 1]
