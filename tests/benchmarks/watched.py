"""A command's processor time and memory, with those of all processes that it starts.

Processor seconds and not wall time: they say the same on a machine that has other work to do.
"""

import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import psutil

LOOK_EVERY_S = 0.5
WEIGH_EVERY_S = 4.0
"""Adding up the memory of processes that share gigabytes takes the kernel a while."""


class Watched(NamedTuple):
    """What a command took."""

    cpu_s: float
    """Of all its processes; of one that ends by itself, up to half a second is missed."""
    peak_mib: float
    """Largest sum of the processes' PSS: what they share counts once."""
    wall_s: float
    output: str


def watch(command: Sequence[str]) -> Watched:
    """Run it to its end, and look at its processes now and then.

    Raises:
        RuntimeError: If it fails; with what it said.
    """
    began = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        root = psutil.Process(process.pid)
        spent: dict[int, float] = {}
        peak, weighed_at = 0, 0.0
        while process.poll() is None:
            tree = _look(root, spent)
            if time.perf_counter() - weighed_at > WEIGH_EVERY_S:
                peak = max(peak, sum(map(_pss, tree)))
                weighed_at = time.perf_counter()
            time.sleep(LOOK_EVERY_S)
        assert process.stdout is not None
        output = process.stdout.read()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{output}")
    seconds = time.perf_counter() - began
    return Watched(sum(spent.values()), peak / (1 << 20), seconds, output)


def _look(root: psutil.Process, spent: dict[int, float]) -> list[int]:
    """Note each process's time so far; returns the processes that are there."""
    try:
        tree = [root, *root.children(recursive=True)]
    except psutil.Error:
        return []
    for process in tree:
        with suppress(psutil.Error):  # it has just ended
            times = process.cpu_times()
            spent[process.pid] = times.user + times.system
    return [process.pid for process in tree]


def _pss(pid: int) -> int:
    try:
        # The kernel adds them up; psutil would read every mapping of its own.
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            return next(1024 * int(line.split()[1]) for line in file if line.startswith("Pss:"))
    except (OSError, StopIteration):  # it has just ended
        return 0
