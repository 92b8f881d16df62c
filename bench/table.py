"""Rows of the benchmark table."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: what was measured, its value, what it is held against, and whether that is reached (None: no aim)."""

    what: str
    value: str
    aim: str = ""
    reached: bool | None = None
    note: str = ""


def print_row(row: Row) -> None:
    """Print one row as soon as it is known."""
    mark = {True: "ok", False: "MISSED", None: ""}[row.reached]
    print(f"| {row.what:<66} | {row.value:>26} | {row.aim:>24} | {mark:<6} | {row.note}", flush=True)


def print_head() -> None:
    """What machine this is, and the table's head."""
    print(f"{machine()}\n")
    print(f"| {'what':<66} | {'measured':>26} | {'aim':>24} | {'':<6} | note")
    print(f"|{'-' * 68}|{'-' * 28}|{'-' * 26}|{'-' * 8}|------", flush=True)


def machine() -> str:
    """Processor, cores, memory and Python, for whoever reads the table later."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    cores = sum(line.startswith("processor") for line in Path("/proc/cpuinfo").read_text().splitlines())
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 1024 / 1024
    return f"{cores} x {model}, {memory:.0f} GiB, Linux {platform.release()}, Python {platform.python_version()}"


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` (0 to 1) of `values` lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def fullest_second(times: Sequence[float]) -> int:
    """The largest number of moments within one second (half-open)."""
    ordered = sorted(times)
    fullest, first = 0, 0
    for index, at in enumerate(ordered):
        while ordered[first] <= at - 1.0:
            first += 1
        fullest = max(fullest, index - first + 1)
    return fullest
