"""Which organisation a host belongs to, remembered by each process for less than a second."""

from __future__ import annotations

import copy
import time
from typing import Final

from tenants.models import Domain, Organization

# A suspension or a new host is effective within this time on every process.
HOST_SECONDS: Final = 0.8
# Unknown hosts are remembered too; whoever invents host names must not fill the memory.
_MOST: Final = 10_000
_hosts: dict[str, tuple[float, Organization | None]] = {}


def organization_of_host(host: str) -> Organization | None:
    """The organisation of a host name without port, in any case; a copy that the caller may change. None: unknown."""
    name = host.lower().rstrip(".")
    now = time.monotonic()
    known = _hosts.get(name)
    if known is None or known[0] <= now:
        if len(_hosts) >= _MOST:
            _hosts.clear()
        domain = Domain.objects.select_related("tenant").filter(domain=name).first()
        known = _hosts[name] = (now + HOST_SECONDS, domain.tenant if domain else None)
    return copy.copy(known[1])


def hosts_forget() -> None:
    """Drop this process's memory: a change of domains or of a status is seen at once here."""
    _hosts.clear()
