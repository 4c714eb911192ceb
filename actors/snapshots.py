"""Snapshots of a run on the disk: one checked file each, written whole or not at all.

A file is an ``.npz``: JSON (as bytes) and arrays, read without pickle. Its name is its number and
the SHA-256 of its bytes, so one that is torn or edited does not match its name. What a snapshot
holds and when it may be taken is in this folder's README.

Cost
    Ten peers with a model of 80,305 numbers, momentum kept, four neighbours each, on two cores that
    others shared: 19 MB and 0.08 s (0.04 s of processor time) in one process, 0.16 s with two Ray
    actors, as it waits for what they are computing. Under ``gpd``, which remembers its neighbours'
    models, 46 MB and 0.15 s. With cores and disk fought for by eight processes, 0.3 to 0.8 s.

Why it is on by default
    Who loses a run of hours learns of a switch too late. A run of less than a minute never writes
    one, as its start needs none, and a run that is done removes its own.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import file_digest
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np

from actors.encoding import Encoded

KEPT = 2
"""The newest so many stay: the last, and one more in case that is damaged."""

_NAME = re.compile(r"(\d{6,})-([0-9a-f]{64})\.npz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshots:
    """When the state of a run is stored: ``{every_s: 60}``, ``{every_rounds: 10}``, or both."""

    every_rounds: int | None = None
    """After each so many rounds of the peers, on average; >= 1."""
    every_s: float | None = None
    """After so many seconds of wall time, > 0; later where snapshots would take more than a
    twentieth of the time."""

    def __post_init__(self) -> None:
        if self.every_rounds is None and self.every_s is None:
            raise ValueError("every_rounds or every_s must be given; for no snapshots, use null")
        if self.every_rounds is not None and self.every_rounds < 1:
            raise ValueError(
                f"every_rounds counts rounds and must be >= 1, got {self.every_rounds}"
            )
        if self.every_s is not None and not (self.every_s > 0 and isfinite(self.every_s)):
            raise ValueError(f"every_s must be a finite number > 0, in seconds, got {self.every_s}")


class Snapshot(NamedTuple):
    """One snapshot, as it was read."""

    number: int
    about: Mapping[str, Any]
    """Plain JSON: of which run, by which versions, when."""
    parts: Mapping[str, Encoded]


class Shelf:
    """The folder with a run's snapshots."""

    def __init__(self, folder: Path) -> None:
        """Nothing is made before the first snapshot is stored."""
        self.folder = folder

    def store(self, about: Mapping[str, Any], parts: Mapping[str, Encoded]) -> Path:
        """Write a snapshot behind those that are there, then remove all but the last two.

        Args:
            about: Plain JSON.
            parts: By name, which has no dot.

        Raises:
            OSError: If it cannot be written. Then nothing of it is left.
        """
        if not self.folder.exists():
            self.folder.mkdir()
            sync_folder(self.folder.parent)
        for part in self.folder.glob("*.part"):  # of one who was killed
            part.unlink()
        number = max((number for number, _, _ in self._files()), default=0) + 1
        part = self.folder / f"{number:06}.part"
        try:
            with part.open("xb") as file:
                np.savez(file, **_arrays(about, parts))
                file.flush()
                os.fsync(file.fileno())
            with part.open("rb") as file:
                digest = file_digest(file, "sha256").hexdigest()
            path = part.replace(self.folder / f"{number:06}-{digest}.npz")
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        sync_folder(self.folder)
        for _, _, old in self._files()[KEPT:]:
            old.unlink()
        return path

    def newest(
        self, fits: Callable[[Snapshot], str | None] = lambda snapshot: None
    ) -> tuple[Snapshot | None, dict[Path, str]]:
        """The newest whole snapshot, and of those behind it that are not, why.

        Args:
            fits: Why a snapshot cannot be used though it is whole; None if it can.
        """
        damaged: dict[Path, str] = {}
        for number, digest, path in self._files():
            try:
                snapshot = Snapshot(number, *_read(path, digest))
                why = fits(snapshot)
            except (OSError, ValueError, LookupError, BadZipFile) as error:
                why = f"cannot be read ({error})"
            if why is None:
                return snapshot, damaged
            damaged[path] = why
        return None, damaged

    def clear(self) -> None:
        """Remove all that was stored, and the folder if nothing else is in it."""
        for path in (*(path for _, _, path in self._files()), *self.folder.glob("*.part")):
            path.unlink()
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _files(self) -> list[tuple[int, str, Path]]:
        """Number, digest and path of each, the newest first."""
        found = ((_NAME.fullmatch(path.name), path) for path in self.folder.glob("*.npz"))
        return sorted(((int(m[1]), m[2], path) for m, path in found if m), reverse=True)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _arrays(about: Mapping[str, Any], parts: Mapping[str, Encoded]) -> dict[str, Any]:
    arrays: dict[str, Any] = {"about": _as_bytes(json.dumps(about))}
    for name, part in parts.items():
        arrays[name] = _as_bytes(part.tree)
        arrays.update((f"{name}.{k}", array) for k, array in enumerate(part.arrays))
    return arrays


def _as_bytes(text: str) -> Any:
    return np.frombuffer(text.encode(), np.uint8)


def _read(path: Path, digest: str) -> tuple[dict[str, Any], dict[str, Encoded]]:
    with path.open("rb") as file:
        if file_digest(file, "sha256").hexdigest() != digest:
            raise ValueError("its bytes do not match the digest in its name")
        file.seek(0)
        with np.load(file, allow_pickle=False) as stored:
            arrays: dict[str, list[Any]] = {}
            for name in stored.files:
                arrays.setdefault(name.partition(".")[0], []).append(stored[name])
    about, *_ = arrays.pop("about")
    parts = {
        name: Encoded(tree.tobytes().decode(), tuple(rest))
        for name, (tree, *rest) in arrays.items()
    }
    return json.loads(about.tobytes()), parts
