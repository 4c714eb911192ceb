"""The files of a run folder that grow: opened, put on the disk, and cut where a run goes on."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO


class GrowingFiles:
    """Text files of one folder that are appended to."""

    def __init__(self, folder: Path, lengths: Mapping[str, int] | None = None) -> None:
        """Begin.

        Args:
            folder: Which exists.
            lengths: Bytes of each file, as ``sync`` gave them, of a run that goes on: what is
                behind them is cut off. None begins anew.
        """
        self._folder = folder
        self._lengths = lengths
        self._files: dict[str, TextIO] = {}

    def open(self, name: str, header: Sequence[str] = ()) -> TextIO:
        """A file, with its header if it has one."""
        path = self._folder / name
        if self._lengths is not None:
            os.truncate(path, self._lengths[name])
        file = path.open("w" if self._lengths is None else "a", encoding="utf-8", newline="")
        self._files[name] = file
        if header and self._lengths is None:
            file.write(",".join(header) + "\n")
        return file

    def flush(self) -> None:
        """Hand everything to the system, so that a killed run leaves it."""
        for file in self._files.values():
            file.flush()

    def sync(self) -> dict[str, int]:
        """Have everything on the disk; returns the length of each file in bytes."""
        self.flush()
        for file in self._files.values():
            os.fsync(file.fileno())
        return {name: os.fstat(file.fileno()).st_size for name, file in self._files.items()}

    def close(self) -> None:
        """Close them all."""
        for file in self._files.values():
            file.close()
