"""Meta's documented shapes, when the folder with them is beside the checkout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[3].parent / "shared" / "meta" / "samples"
needed = pytest.mark.skipif(not FOLDER.exists(), reason="the folder with Meta's samples is not here")


def names(group: str) -> list[str]:
    """File names of a group without .json; empty when the folder is absent."""
    return sorted(path.stem for path in (FOLDER / group).glob("*.json"))


def load(group: str, name: str) -> Any:
    """One sample."""
    return json.loads((FOLDER / group / f"{name}.json").read_text())


def raw(group: str, name: str) -> bytes:
    """One sample as bytes."""
    return (FOLDER / group / f"{name}.json").read_bytes()
