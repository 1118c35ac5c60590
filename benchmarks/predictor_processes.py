"""Seconds of processors, and memory, of this process and of those that it started, as /proc tells them."""

import os
from collections.abc import Iterator
from pathlib import Path


def processor_seconds() -> float:
    """Seconds of processors that this process and its children have used."""
    ticks = 0
    for process in ["self", *_children("self")]:
        after_name = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(after_name[11]) + int(after_name[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_of_children() -> int:
    """Bytes in memory of all that this process started, and of what those did."""
    return sum(_memory(process) for process in _descendants("self"))


def _memory(process: str) -> int:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _descendants(process: str) -> Iterator[str]:
    for child in _children(process):
        yield child
        yield from _descendants(child)


def _children(process: str) -> list[str]:
    paths = Path(f"/proc/{process}/task").glob("*/children")
    return [child for path in paths for child in path.read_text().split()]
