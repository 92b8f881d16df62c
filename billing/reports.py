"""Credits of many organisations at once, for super-admins: one statement, no schema is entered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.db import connection

from tenants.models import Organization

_EXISTING = "SELECT nspname FROM pg_namespace WHERE nspname = ANY(%s)"


@dataclass(frozen=True, slots=True)
class OrganizationBalance:
    """The organisation's own account: what is available, and whether its messages are charged."""

    available: Decimal
    is_active: bool


def balances_of(organizations: Iterable[Organization]) -> dict[int, OrganizationBalance]:
    """Organisation id -> its own account's balance, for those who have an account."""
    wanted = {organization.schema_name: organization.pk for organization in organizations}
    with connection.cursor() as cursor:
        cursor.execute(_EXISTING, [list(wanted)])
        present = [name for (name,) in cursor.fetchall() if name != "public"]
        if not present:
            return {}
        parts = (
            # The names come from the catalogue and are quoted.
            f"SELECT %s::bigint, balance, is_active FROM {connection.ops.quote_name(schema)}.billing_creditaccount"  # noqa: S608
            " WHERE membership_id IS NULL"
            for schema in present
        )
        cursor.execute(" UNION ALL ".join(parts), [wanted[schema] for schema in present])
        return {pk: OrganizationBalance(balance, is_active) for pk, balance, is_active in cursor.fetchall()}
