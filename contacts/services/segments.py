"""Saving segments, and asking how many contacts one has."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils.translation import gettext as _
from psycopg.errors import QueryCanceled

from contacts.models import Segment
from contacts.segments import Condition, segment_compile
from contacts.services.custom_fields import field_rules
from tenants.errors import Conflict, InvalidInput, NotFound


def segment_save(*, name: str, rules: Any, description: str = "", segment_id: int | None = None) -> Segment:
    """Create a segment, or change one.

    Raises `InvalidInput` (rules, name), `Conflict` for a name in use, `NotFound`.
    """
    name = " ".join(name.replace("\x00", "").split())
    if not name or len(name) > 80:
        raise InvalidInput("invalid_name", _("A segment needs a name."), {"name": _("must have 1 to 80 characters")})
    segment_compile(rules, custom=field_rules())
    values = {"name": name, "rules": rules, "description": description.strip()[:300]}
    try:
        with transaction.atomic():
            if segment_id is None:
                return Segment.objects.create(**values)
            if not Segment.objects.filter(pk=segment_id).update(**values):
                raise NotFound("segment_not_found", _("There is no such segment."))
    except IntegrityError as error:
        raise Conflict("segment_exists", _("There is a segment of this name."), {"name": _("is taken")}) from error
    return Segment.objects.get(pk=segment_id)


def segment_condition(*, segment_id: int) -> Condition:
    """The SQL condition of a saved segment over the alias `contact`. Raises `NotFound`.

    `InvalidInput` when a custom field that it uses has gone or changed its type since.
    """
    segment = Segment.objects.filter(pk=segment_id).first()
    if segment is None:
        raise NotFound("segment_not_found", _("There is no such segment."))
    return segment_compile(segment.rules, custom=field_rules())


def contacts_count(*, condition: Condition, cap: int = 10_000, seconds: float | None = None) -> int | None:
    """How many contacts satisfy `condition`, read no further than `cap` + 1: a result above `cap` means "more".

    None when it took longer than `seconds`.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            if seconds is not None:
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{int(seconds * 1000)}ms"])
            cursor.execute(
                "SELECT count(*) FROM (SELECT 1 FROM contacts_contact contact"  # noqa: S608  compiled, values are parameters
                f" WHERE {condition.sql} LIMIT %s) AS found",
                [*condition.params, cap + 1],
            )
            row = cursor.fetchone()
            if seconds is not None:
                cursor.execute("SET LOCAL statement_timeout TO DEFAULT")
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            return None
        raise
    return int(row[0]) if row else 0
