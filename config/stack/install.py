"""Makes `.venv` and keeps it in step with the requirements. Runs as a script, with the system's Python.

Standard library only, and a syntax that an old Python can read, so that an old Python is told what is missing.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VENV = ROOT / ".venv"
REQUIREMENTS = ("requirements.txt", "requirements-dev.txt")
MINIMUM = (3, 11)


def fingerprint():
    # type: () -> str
    """Hex digest of what decides the virtualenv's content: the requirements and the interpreter's minor version."""
    digest = hashlib.sha256("{}.{}".format(*sys.version_info[:2]).encode())
    for name in REQUIREMENTS:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def main():
    # type: () -> int
    """Create or update the virtualenv when its stamp differs. Returns a process exit code."""
    if sys.version_info < MINIMUM:
        version = "{}.{}".format(*sys.version_info[:2])
        message = "Griot needs Python 3.11 or newer; this is {}. Choose one: make PYTHON=python3.11 run\n"
        sys.stderr.write(message.format(version))
        return 1
    stamp = VENV / ".requirements"
    python = VENV / "bin" / "python"
    wanted = fingerprint()
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return 0
    if not python.exists() or subprocess.call([str(python), "-m", "pip", "--version"], stdout=subprocess.DEVNULL) != 0:
        print("Creating .venv", flush=True)
        if subprocess.call([sys.executable, "-m", "venv", "--clear", str(VENV)]) != 0:
            sys.stderr.write("python3 -m venv failed; on Debian and Ubuntu: apt-get install python3-venv\n")
            return 1
    print("Installing the requirements", flush=True)
    arguments = [item for name in REQUIREMENTS for item in ("-r", str(ROOT / name))]
    command = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *arguments]
    if subprocess.call(command, env={**os.environ, "PIP_ROOT_USER_ACTION": "ignore"}) != 0:
        return 1
    # Written last: an interrupted installation is done again.
    stamp.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
