"""What PostgreSQL holds for many organisations: its catalogue, files, and the memory of its processes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_MIB: Final = 1024 * 1024
_CATALOGUE: Final = ("pg_class", "pg_attribute", "pg_index", "pg_constraint", "pg_depend", "pg_type", "pg_attrdef")


@dataclass(frozen=True, slots=True)
class Holdings:
    """Tables of the template; rows and MiB of the catalogue; MiB of the database; (buffers used, all) in MiB."""

    tables: int
    relations: int
    attributes: int
    catalogue_mib: float
    database_mib: float


def holdings() -> Holdings:
    """As it is now. The counts are PostgreSQL's estimates after an ANALYZE of the two tables."""
    from django.db import connection

    from tenants.services.schemas import TEMPLATE_SCHEMA

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE pg_class, pg_attribute")
        cursor.execute("SELECT reltuples FROM pg_class WHERE relname IN ('pg_class', 'pg_attribute') ORDER BY relname")
        attributes, relations = (int(row[0]) for row in cursor.fetchall())
        cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = %s", [TEMPLATE_SCHEMA])
        tables = cursor.fetchone()[0]
        cursor.execute(
            "SELECT sum(pg_total_relation_size(oid)) FROM pg_class"
            " WHERE relnamespace = 'pg_catalog'::regnamespace AND relname = ANY(%s)",
            [list(_CATALOGUE)],
        )
        catalogue = float(cursor.fetchone()[0])
        cursor.execute("SELECT pg_database_size(current_database())")
        database = float(cursor.fetchone()[0])
    return Holdings(tables, relations, attributes, catalogue / _MIB, database / _MIB)


def backend_growth(schemas: list[str], *, recycle_after: int | None = None) -> tuple[float, float]:
    """One connection works in each schema in turn; returns MiB of its server process's own memory, (first, last).

    `recycle_after`: as the platform does, by DATABASE_MAX_SCHEMAS.
    """
    from django.test.utils import override_settings

    from tenants.connection import connection

    connection.close()
    first, most = 0.0, 0.0
    with override_settings(DATABASE_MAX_SCHEMAS=recycle_after or len(schemas) + 1):
        for number, schema in enumerate(schemas):
            connection.set_schema(schema)
            _work()
            used = _private_mib()
            first = first or used
            most = max(most, used)
            if number % 10 == 9:
                # What happens between two requests or tasks.
                connection.close_if_unusable_or_obsolete()
    connection.set_schema_to_public()
    connection.close()
    return first, most


def _work() -> None:
    """What a page or a webhook reads of an organisation: rows, joins and an insert that is not kept."""
    from django.db import transaction

    from contacts.models import Contact
    from messaging.models import Channel, ChannelCount, Message, MessageTemplate

    for model in (Channel, Message, MessageTemplate, Contact, ChannelCount):
        list(model.objects.all()[:1])
    with transaction.atomic():
        Contact.objects.create(name="Ada")
        transaction.set_rollback(True)


def _private_mib() -> float:
    """Resident memory of this connection's server process without what it shares (proc(5), statm)."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return private_mib(cursor.fetchone()[0])


def private_mib(pid: int) -> float:
    """Resident memory of a process that it does not share, in MiB."""
    _, resident, shared = Path(f"/proc/{pid}/statm").read_text().split()[:3]
    return (int(resident) - int(shared)) * 4096 / _MIB


def server_mib() -> dict[str, Any]:
    """`private`: MiB of all server processes together, `processes`: how many, `buffers`: MiB of shared buffers."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity")
        pids = [row[0] for row in cursor.fetchall()]
        cursor.execute("SELECT setting::int * 8 / 1024 FROM pg_settings WHERE name = 'shared_buffers'")
        buffers = cursor.fetchone()[0]
    return {"private": sum(map(private_mib, pids)), "processes": len(pids), "buffers": buffers}
