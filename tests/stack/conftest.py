from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A directory that the database's account can enter; pytest's own are closed to other accounts."""
    path = Path(tempfile.mkdtemp(prefix="griot-stack-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)
