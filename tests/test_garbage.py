"""What a process makes while it starts is left out of Python's collections."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WEB = "import config.wsgi"
WORKER = "import config.celery; from celery.signals import worker_init; worker_init.send(sender=None)"


@pytest.mark.parametrize("start", [WEB, WORKER])
def test_a_started_process_has_settled(start: str) -> None:
    said = "import gc, sys; print(gc.get_freeze_count() > 50_000, 'config.urls_public' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", f"{start}; {said}"], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=True
    )
    frozen, pages_loaded = done.stdout.split()[-2:]
    assert frozen == "True"
    assert pages_loaded == str(start == WEB)
