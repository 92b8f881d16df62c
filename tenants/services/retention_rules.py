"""What is removed when it is old: one rule per kind of data, declared in the `retention.py` of the app that owns it.

A rule walks its table in the order of an index that grows with age, from the oldest row on, a bounded number of rows
per step. Each step is one statement, so one short transaction; rows that somebody else holds are left for another time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final, Protocol
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, models
from django.utils.functional import Promise

from tenants.services.schemas import tenant_app_labels

# Rows that one statement looks at, and so the most that it locks. Blanking rewrites rows and their index entries.
BATCH: Final = 5_000
BLANK_BATCH: Final = 2_000
Position = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """What one statement did: rows removed, where the next one goes on, and whether it was the last one."""

    removed: int
    position: Position
    finished: bool


class RetentionRule(Protocol):
    """One kind of data. `order`: rules of an organisation run from the lowest on, bodies before rows.

    `floor_days`: fewer would break something that reads the data. `is_public`: the table is the platform's.
    """

    @property
    def kind(self) -> str: ...

    @property
    def label(self) -> str | Promise: ...

    @property
    def text(self) -> str | Promise: ...

    @property
    def order(self) -> int: ...

    @property
    def floor_days(self) -> int: ...

    @property
    def table(self) -> str: ...

    @property
    def is_public(self) -> bool: ...

    def step(self, *, before: datetime, position: Position, limit: int = BATCH) -> Step:
        """Remove what is older than `before` among the next `limit` rows, in the current schema."""

    def ripe(self, *, before: datetime, position: Position, most: int) -> int:
        """Rows older than `before` that a run would remove, looking at no more than `most` rows."""

    def oldest(self, *, position: Position) -> datetime | None:
        """Age of the first row that a run would look at; None when there is none."""


_rules: dict[str, RetentionRule] = {}


def retention_register(*rules: RetentionRule) -> None:
    """Declare rules. Each kind needs a default period in `settings.RETENTION_DAYS`; a kind has one rule only."""
    for rule in rules:
        if rule.kind not in settings.RETENTION_DAYS:
            raise ImproperlyConfigured(f"RETENTION_DAYS has no period for {rule.kind!r}")
        if _rules.setdefault(rule.kind, rule) is not rule:
            raise ImproperlyConfigured(f"two retention rules of kind {rule.kind!r}")


def retention_rules(*, public: bool) -> list[RetentionRule]:
    """The rules of the platform's tables, or of every organisation's, in the order in which they run."""
    return sorted(
        (rule for rule in _rules.values() if rule.is_public is public), key=lambda rule: (rule.order, rule.kind)
    )


def retention_rule(kind: str) -> RetentionRule:
    """The rule of this kind. Raises KeyError."""
    return _rules[kind]


@dataclass(frozen=True)
class RowsRule:
    """Rows of one model, deleted or, with `blank`, kept without some of their columns.

    `key` is the column that the rows are walked by: an indexed one that grows with age (the time itself, a UUIDv7, or
    the primary key of a table that is only added to). `age` is the time that counts. `keep` is SQL: rows for which it
    is true stay whatever their age, and are looked at again by the next run. `blank` maps columns to SQL expressions
    and `blanked` is SQL that is true afterwards.

    Rows that point to deleted ones go with them or forget them, as their foreign key says (CASCADE, SET_NULL).
    """

    kind: str
    label: str | Promise
    text: str | Promise
    order: int
    model: type[models.Model]
    age: str
    key: str
    keep: str = "false"
    blank: Mapping[str, str] = field(default_factory=dict)
    blanked: str = "false"
    floor_days: int = 1

    @property
    def table(self) -> str:
        return self.model._meta.db_table

    @property
    def is_public(self) -> bool:
        return self.model._meta.app_label not in tenant_app_labels()

    def statement(
        self, *, before: datetime, position: Position | None = None, limit: int | None = None
    ) -> tuple[str, dict[str, Any]]:
        """The statement of one step, and its parameters."""
        at, most = position or {}, limit or self._batch
        return self._sql(_STEP, at), {"before": before, "end": self._end(before), "limit": most, **_after(at)}

    @property
    def _batch(self) -> int:
        return BLANK_BATCH if self.blank else BATCH

    def step(self, *, before: datetime, position: Position, limit: int | None = None) -> Step:
        with connection.cursor() as cursor:
            cursor.execute(*self.statement(before=before, position=position, limit=limit))
            removed, seen, young, last, left = cursor.fetchone()
        # The primary key grows with age, so behind the first young row there is nothing old.
        finished = seen < (limit or self._batch) or (young and self._key_is_pk)
        first_left = position.get("left") or left
        if not finished:
            return Step(removed, {"at": last, "left": first_left}, False)
        # What was deleted is not met again. What was blanked is, so the next run begins where something was left.
        resume = (first_left or last or position.get("at")) if self.blank else None
        return Step(removed, {"at": resume} if resume else {}, True)

    def ripe(self, *, before: datetime, position: Position, most: int) -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                self._sql(_RIPE, position),
                {"before": before, "end": self._end(before), "limit": most, **_after(position)},
            )
            return int(cursor.fetchone()[0])

    def oldest(self, *, position: Position) -> datetime | None:
        with connection.cursor() as cursor:
            cursor.execute(self._sql(_OLDEST, position), _after(position))
            row = cursor.fetchone()
            return row[0] if row else None

    def _end(self, before: datetime) -> Any:
        """Upper end of the walk: a UUIDv7 begins with its time, a primary key says nothing about it."""
        if isinstance(self._field, models.UUIDField):
            return UUID(int=int(before.timestamp() * 1000) << 80)
        return before

    @property
    def _field(self) -> models.Field[Any, Any]:
        found: models.Field[Any, Any] = self.model._meta.get_field(self.key)  # type: ignore[assignment]
        return found

    @property
    def _key_is_pk(self) -> bool:
        return self._field.primary_key

    def _sql(self, template: str, position: Position) -> str:
        pk, key = self._pk, self._column(self.key)
        unique = self._field.unique
        after = ""
        if position.get("at"):
            # `>=`: the row itself is seen again, which costs nothing and loses none of equal keys.
            after = (
                f"AND {key} >= %(key)s" if unique else f"AND {key} >= %(key)s AND ({key}, {pk}) >= (%(key)s, %(id)s)"
            )
        return template.format(
            table=self._table_sql,
            pk=pk,
            key=key,
            age=self._column(self.age),
            after=after,
            until="" if self._key_is_pk else f"AND {key} < %(end)s",
            order=key if unique else f"{key}, {pk}",
            keep=self.keep,
            blanked=self.blanked,
            children=self._children_sql,
            change=self._change_sql,
        )

    @property
    def _table_sql(self) -> str:
        return ("public." if self.is_public else "") + str(connection.ops.quote_name(self.table))

    @property
    def _pk(self) -> str:
        return self._column(self.model._meta.pk.name)

    def _column(self, name: str) -> str:
        found: models.Field[Any, Any] = self.model._meta.get_field(name)  # type: ignore[assignment]
        return str(connection.ops.quote_name(str(found.column)))

    @property
    def _change_sql(self) -> str:
        if not self.blank:
            return _DELETE.format(table=self._table_sql, pk=self._pk)
        values = ", ".join(f"{self._column(name)} = {value}" for name, value in self.blank.items())
        return _BLANK.format(table=self._table_sql, pk=self._pk, values=values)

    @cached_property
    def _children_sql(self) -> str:
        if self.blank:
            return ""
        quote = connection.ops.quote_name
        return "\n".join(
            (_CHILD_GOES if action is models.CASCADE else _CHILD_FORGETS).format(
                number=number, table=quote(child.model._meta.db_table), column=quote(child.column)
            )
            for number, (child, action) in enumerate(self.children())
        )

    def children(self) -> list[tuple[Any, Any]]:
        """(foreign key field, CASCADE or SET_NULL) of everything that points to the model.

        Raises ImproperlyConfigured for a key with another rule, and for rows that others point to in turn.
        """
        found = []
        for relation in _relations(self.model):
            child, action = relation.field, relation.on_delete
            if action not in (models.CASCADE, models.SET_NULL):
                raise ImproperlyConfigured(f"{self.kind}: {child} keeps rows from being deleted")
            if action is models.CASCADE and _relations(child.model):
                raise ImproperlyConfigured(f"{self.kind}: rows of {child.model._meta.label} are pointed to in turn")
            found.append((child, action))
        return found


def _relations(model: type[models.Model]) -> list[Any]:
    fields = model._meta.get_fields(include_hidden=True)
    return [
        item for item in fields if item.auto_created and not item.concrete and (item.one_to_many or item.one_to_one)
    ]


def _after(position: Position) -> dict[str, Any]:
    at = position.get("at")
    return {"key": at[0], "id": at[1]} if at else {}


# Names come from the models and are quoted, expressions from the rules' code.
_DELETE: Final = "DELETE FROM {table} WHERE {pk} IN (SELECT id FROM taken) RETURNING {pk} AS id"
_BLANK: Final = "UPDATE {table} SET {values} WHERE {pk} IN (SELECT id FROM taken) RETURNING {pk} AS id"
_CHILD_GOES: Final = "child_{number} AS (DELETE FROM {table} WHERE {column} IN (SELECT id FROM taken)),"
_CHILD_FORGETS: Final = (
    "child_{number} AS (UPDATE {table} SET {column} = NULL WHERE {column} IN (SELECT id FROM taken)),"
)
# NOT IN is hashed; NOT EXISTS was a nested loop, because PostgreSQL expects few rows of a CTE.
# The rows are looked at without a lock; those that are ripe are then locked, and their conditions read again.
_STEP: Final = """
WITH seen AS MATERIALIZED (
    SELECT {pk} AS id, {key} AS key, {age} AS age, ({keep}) IS TRUE AS kept, ({blanked}) IS TRUE AS blanked
    FROM {table} WHERE true {after} {until}
    ORDER BY {order} LIMIT %(limit)s),
taken AS MATERIALIZED (
    SELECT {pk} AS id FROM {table}
    WHERE {pk} = ANY(ARRAY(SELECT id FROM seen WHERE age < %(before)s AND NOT kept AND NOT blanked))
      AND {age} < %(before)s AND ({keep}) IS NOT TRUE
    FOR UPDATE SKIP LOCKED),
{children}
changed AS ({change})
SELECT (SELECT count(*) FROM changed), (SELECT count(*) FROM seen),
       (SELECT COALESCE(bool_or(age >= %(before)s), false) FROM seen),
       (SELECT json_build_array(key, id) FROM seen ORDER BY key DESC, id DESC LIMIT 1),
       (SELECT json_build_array(key, id) FROM seen
        WHERE NOT blanked AND id NOT IN (SELECT id FROM changed) ORDER BY key, id LIMIT 1)
"""

_RIPE: Final = """
SELECT count(*) FILTER (WHERE age < %(before)s AND NOT kept AND NOT blanked)
FROM (SELECT {age} AS age, ({keep}) IS TRUE AS kept, ({blanked}) IS TRUE AS blanked
      FROM {table} WHERE true {after} {until} ORDER BY {order} LIMIT %(limit)s) AS seen
"""

_OLDEST: Final = "SELECT {age} FROM {table} WHERE true {after} ORDER BY {order} LIMIT 1"
