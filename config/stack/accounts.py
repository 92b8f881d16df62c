"""PostgreSQL refuses to run as root: which account runs it then, and what that account can reach."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from config.stack.errors import StackError

# An account made for databases first; `nobody` exists everywhere.
_CANDIDATES = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs the database server. `drop` is (uid, gid) to change to, None when we already are that user."""

    name: str
    drop: tuple[int, int] | None

    def can(self, *command: str) -> bool:
        """True when `command`, run as this account from `/`, exits with 0. Tried for real: ACLs count too."""
        user, group = self.drop or (None, None)
        try:
            done = subprocess.run(
                command, cwd="/", user=user, group=group, extra_groups=[] if self.drop else None,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, timeout=30,
            )  # fmt: skip
        except OSError:
            return False
        return done.returncode == 0

    def reaches(self, directory: Path) -> bool:
        """True when the account can enter `directory`."""
        return self.can("/bin/sh", "-c", 'cd -- "$1"', "sh", str(directory))

    def give(self, directory: Path) -> None:
        """Make `directory` (created when missing, mode 0700) belong to the account."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.drop is not None:
            os.chown(directory, *self.drop)


def database_account() -> Account:
    """The current user, or an unprivileged system account when we are root."""
    if os.geteuid() != 0:
        return Account(name=pwd.getpwuid(os.geteuid()).pw_name, drop=None)
    for name in _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name=name, drop=(entry.pw_uid, entry.pw_gid))
    raise StackError("PostgreSQL does not run as root, and no account 'postgres' or 'nobody' exists: use another user")
