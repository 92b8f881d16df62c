"""How fast a file of a million contacts is imported, new ones and the same ones again, and with how much memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.launch import Memory
from bench.platform_access import wait_for
from bench.table import Row
from config.stack.instance import Instance

# One row in a thousand has a mistake. Numbers are written with and without country code, as people do.
_MISTAKES_EVERY = 1_000
_PREFIX = 60_000_000


def rows_imports(instance: Instance, organization: Any, *, contacts: int) -> list[Row]:
    """Import a CSV file of new contacts through the workers, then the same file again."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / "contacts.csv"
        with path.open("w", encoding="utf-8") as target:
            target.writelines(_lines(contacts))
        return [
            _row(instance, organization, path, contacts, "new contacts"),
            _row(instance, organization, path, contacts, "the same file again"),
        ]


def _lines(contacts: int) -> Iterator[str]:
    yield "name,email,phone,group,status,tags,custom.company\n"
    for number in range(contacts):
        phone = f"01{_PREFIX + number:08d}" if number % 2 else f"+22901{_PREFIX + number:08d}"
        if number % _MISTAKES_EVERY == _MISTAKES_EVERY - 1:
            phone = "12"
        yield (
            f"First{number} Last,a{number}@example.com,{phone},Group {number % 20},active,vip,Shop {number % 1000}\n"
        )


def _row(instance: Instance, organization: Any, path: Path, contacts: int, what: str) -> Row:
    from django_tenants.utils import tenant_context

    from contacts.models import ContactImport
    from contacts.services.imports import import_create, import_start

    with tenant_context(organization), path.open("rb") as source, Memory(instance.pid("worker")) as memory:
        began = time.monotonic()
        made = import_create(organization=organization, source=source, filename=path.name)
        import_start(organization=organization, import_id=made.pk)
        running = ContactImport.objects.filter(pk=made.pk, status=ContactImport.Status.RUNNING)
        wait_for(lambda: not running.exists(), seconds=900, every=0.2)
        seconds = time.monotonic() - began
        made.refresh_from_db()
    stored = made.rows_created + made.rows_unchanged
    mistakes = contacts // _MISTAKES_EVERY
    exact = made.status == "completed" and (stored, made.rows_failed) == (contacts - mistakes, mistakes)
    million = contacts >= 1_000_000
    return Row(
        f"CSV of {contacts:,} contacts, {what}",
        f"{seconds:.0f} s = {contacts / seconds:,.0f}/s",
        "< 120 s" if million else "< 120 s per million",
        exact and seconds * 1_000_000 / contacts < 120,
        f"{'exact' if exact else f'NOT EXACT: {made.status} {made.counts}'}, {mistakes:,} mistakes told,"
        f" workers {memory.before:.0f} -> at most {memory.most:.0f} MiB",
    )
