"""Where the stack keeps its things."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VAR = ROOT / "var"
PYTHON = ROOT / ".venv" / "bin" / "python"


def outside_directories(name: Path) -> Iterator[Path]:
    """Stable directories outside the project for data that another account must reach: in TMPDIR, /var/tmp and the
    system's temporary directory. Their name derives from `name`, an absolute path. Only those that are ours are listed.
    """
    digest = hashlib.sha256(str(name).encode()).hexdigest()[:12]
    bases = [os.environ.get("TMPDIR"), "/var/tmp", tempfile.gettempdir()]  # noqa: S108  checked by _claim
    paths = [Path(base) / f"griot-{os.geteuid()}-{digest}" for base in dict.fromkeys(bases) if base]
    # One at a time: a directory that nobody asks for is not made.
    return (path for path in paths if _claim(path))


def _claim(path: Path) -> bool:
    """Create `path`, or make sure that nobody else made it first in a directory where everybody may write."""
    try:
        path.mkdir(mode=0o711)
        path.chmod(0o711)
    except FileExistsError:
        pass
    except OSError:
        return False
    status = path.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()


def private_write(path: Path, content: str) -> None:
    """Write `content` to `path` with mode 0600, as one replacement: a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
    draft.replace(path)
