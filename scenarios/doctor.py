"""Whether this machine is ready for a run, and what to do where it is not."""

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import psutil

from p2pfl.data import DATASETS, data_folder
from p2pfl.data.edge_cases import EDGE_SOURCES, EdgeSource
from p2pfl.data.source import Source

LIBRARIES = ("p2pfl-emulator", "torch", "ray", "numpy", "scipy", "networkx", "scikit-learn")
ENOUGH_BYTES = 2 << 30
"""Free memory below which ten peers in ten actors will not fit."""
RAY_TIMEOUT_S = 120.0

START_RAY = """
import ray
from actors.on_ray import start_ray
start_ray()
assert ray.get(ray.remote(lambda: 42).remote()) == 42
ray.shutdown()
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    state: Literal["good", "note", "bad"]
    """bad: a run with the default settings would fail."""
    text: str


def examine(
    data: Path | None = None, start_ray: Callable[[], str | None] | None = None
) -> list[Finding]:
    """Look at everything. Starting Ray takes some seconds.

    Args:
        data: The data folder; None takes what P2PFL_DATA names.
        start_ray: Tries it; returns what went wrong, or None. By default in a process of its own.
    """
    return [
        Finding("Python", "good", f"{platform.python_version()} on {platform.platform()}"),
        *(_library(name) for name in LIBRARIES),
        Finding("cores", "good", f"{os.cpu_count()}"),
        _memory(),
        *_torch(),
        _ray((start_ray or try_ray)()),
        *_datasets(data_folder(data)),
    ]


def try_ray() -> str | None:
    """Start Ray, run one task, end it; in a process of its own."""
    command = [sys.executable, "-c", START_RAY]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=RAY_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"no answer after {RAY_TIMEOUT_S:.0f} s"
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return None if done.returncode == 0 else (lines[-1] if lines else f"exit {done.returncode}")


def _library(name: str) -> Finding:
    try:
        return Finding(name, "good", version(name))
    except PackageNotFoundError:
        return Finding(name, "bad", "is not installed; `make install` installs all that is needed")


def _memory() -> Finding:
    memory = psutil.virtual_memory()
    text = f"{memory.available / 2**30:.1f} GiB free of {memory.total / 2**30:.1f} GiB"
    if memory.available < ENOUGH_BYTES:
        return Finding("memory", "note", f"{text}; little: try --set runtime.executor=inline")
    return Finding("memory", "good", text)


def _torch() -> list[Finding]:
    import torch

    threads = f"{torch.get_num_threads()} by default; a run uses 1 in each process"
    gpu = "none; runs use the CPU"
    if torch.cuda.is_available():
        gpu = f"{torch.cuda.get_device_name()} ({torch.cuda.device_count()} in all)"
    return [Finding("torch threads", "good", threads), Finding("GPU", "good", gpu)]


def _ray(wrong: str | None) -> Finding:
    if wrong is None:
        return Finding("Ray starts", "good", "and ran a task")
    return Finding("Ray starts", "bad", f"no: {wrong}; --set runtime.executor=inline needs no Ray")


def _datasets(folder: Path | None) -> list[Finding]:
    if folder is None:
        named = Finding("data folder", "note", "none: pass --data DIR or set P2PFL_DATA")
    elif folder.is_dir():
        named = Finding("data folder", "good", str(folder))
    else:
        named = Finding("data folder", "note", f"{folder} is no folder")
    rare = [_edge_images(source, folder) for source in EDGE_SOURCES.values()]
    return [named, *(_dataset(source, folder) for source in DATASETS), *rare]


def _dataset(source: Source, folder: Path | None) -> Finding:
    name = f"data set {source.name}"
    if not source.folders:
        return Finding(name, "good", "comes with the installation")
    found = source.found(folder)
    if source.missing(found):
        return Finding(name, "note", f"is not there; `p2pfl data get {source.name}` downloads it")
    parts = sum(part in found for part in source.parts)
    if parts < len(source.parts):
        return Finding(name, "note", f"{parts} of {len(source.parts)} training files")
    return Finding(name, "good", "is there")


def _edge_images(source: EdgeSource, folder: Path | None) -> Finding:
    name = f"edge-case images {source.name}"
    if source.missing(folder):
        return Finding(name, "note", f"are not there; `p2pfl data get {source.name}` says how")
    return Finding(name, "good", "are there")
