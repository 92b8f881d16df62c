"""Segments: a saved boolean filter over contacts becomes one SQL condition.

Rules are JSON. A group is `{"all": [...]}`, `{"any": [...]}` or `{"not": rule}`; a test is
`{"field": "...", "op": "...", "value": ...}`. Fields:

* `name`, `email`, `phone`, `language`, `timezone`, `custom.<text or choice>`: is, is_not, contains, starts_with,
  is_set, is_not_set, in
* `status`: is, is_not
* `custom.<number>`: is, is_not, at_least, at_most, is_set, is_not_set
* `custom.<date>`, `created_at`, `last_seen_at`: on_or_after, on_or_before (YYYY-MM-DD), last_days (within the last N
  days), before_days (longer ago than N days, or never), is_set, is_not_set
* `custom.<boolean>`: is
* `tags`: has, has_not
* `group`: in, not_in (a group's id)
* `sent`, `delivered`, `read`, `failed`: last_days, not_last_days (a message to them did so, or none did)
* `suppressed`: is (true, false)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from django.utils.translation import gettext as _

from contacts.services.custom_fields import FieldRule
from tenants.errors import InvalidInput

MAX_TESTS: Final = 50
MAX_DEPTH: Final = 6
_TEXTS: Final = ("name", "email", "phone", "language", "timezone")
_DATES: Final = ("created_at", "last_seen_at")
_ACTIVITIES: Final = {"sent": "sent_at", "delivered": "delivered_at", "read": "read_at", "failed": "failed_at"}


@dataclass(frozen=True, slots=True)
class Condition:
    """An SQL expression over the table alias `contact`, with its parameters in order."""

    sql: str
    params: tuple[Any, ...] = ()


@dataclass(slots=True)
class _Compiler:
    custom: Mapping[str, FieldRule]
    problems: dict[str, str] = field(default_factory=dict)
    tests: int = 0

    def rule(self, rule: Any, where: str, depth: int = 0) -> Condition:
        if depth > MAX_DEPTH:
            return self._bad(where, _("is nested more than %(most)s deep") % {"most": MAX_DEPTH})
        if not isinstance(rule, Mapping):
            return self._bad(where, _("must be an object"))
        keys = set(rule)
        if keys in ({"all"}, {"any"}):
            return self._group(rule, where, depth)
        if keys == {"not"}:
            inner = self.rule(rule["not"], f"{where}.not", depth + 1)
            return Condition(f"NOT COALESCE({inner.sql}, false)", inner.params)
        if not keys <= {"field", "op", "value"} or not {"field", "op"} <= keys:
            return self._bad(where, _("must have all, any, not, or field and op"))
        return self._test(rule, where)

    def _group(self, rule: Mapping[str, Any], where: str, depth: int) -> Condition:
        word, joint = ("all", " AND ") if "all" in rule else ("any", " OR ")
        parts = rule[word]
        if not isinstance(parts, Sequence) or isinstance(parts, str) or not parts:
            return self._bad(f"{where}.{word}", _("must be a list with at least one rule"))
        inner = [self.rule(part, f"{where}.{word}.{index}", depth + 1) for index, part in enumerate(parts)]
        params = tuple(value for condition in inner for value in condition.params)
        return Condition("(" + joint.join(condition.sql for condition in inner) + ")", params)

    def _test(self, rule: Mapping[str, Any], where: str) -> Condition:
        self.tests += 1
        if self.tests > MAX_TESTS:
            return self._bad(where, _("is one test too many: there may be %(most)s") % {"most": MAX_TESTS})
        name, op, value = rule["field"], rule["op"], rule.get("value")
        operations = self._operations(name)
        if operations is None:
            return self._bad(f"{where}.field", _("is not a field that can be filtered by"))
        make = operations.get(op) if isinstance(op, str) else None
        if make is None:
            return self._bad(f"{where}.op", _("must be one of %(choices)s") % {"choices": ", ".join(operations)})
        try:
            return make(value)
        except (ValueError, TypeError) as error:
            return self._bad(f"{where}.value", str(error))

    def _operations(self, name: Any) -> dict[str, Callable[[Any], Condition]] | None:
        if not isinstance(name, str):
            return None
        if name in _TEXTS:
            return _text_operations(f"COALESCE(contact.{name}, '')")
        if name in _DATES:
            return _date_operations(f"contact.{name}")
        if name in _ACTIVITIES:
            return _activity_operations(_ACTIVITIES[name])
        if name.startswith("custom."):
            rule = self.custom.get(name.removeprefix("custom."))
            return None if rule is None else _custom_operations(rule)
        return _SPECIAL.get(name)

    def _bad(self, where: str, reason: str) -> Condition:
        self.problems.setdefault(where, reason)
        return Condition("false")


def segment_compile(rules: Any, *, custom: Mapping[str, FieldRule]) -> Condition:
    """The condition of `rules`; `custom` are the definitions of the schema (`contacts.services.custom_fields`).

    Raises `InvalidInput` with every problem by its path (`rules.all.0.value`).
    """
    compiler = _Compiler(custom)
    condition = compiler.rule(rules, "rules")
    if compiler.problems:
        raise InvalidInput("invalid_segment", _("The segment's rules cannot be used."), compiler.problems)
    return condition


def _string(value: Any) -> str:
    if value is None or (isinstance(value, str) and not value.strip()):
        raise ValueError(_("is required"))
    if not isinstance(value, (str, int, float)) or isinstance(value, bool):
        raise ValueError(_("must be a text"))
    return str(value).strip().replace("\x00", "")[:200]


def _strings(value: Any) -> list[str]:
    if not isinstance(value, list) or not 1 <= len(value) <= 1000:
        raise ValueError(_("must be a list of 1 to 1000 texts"))
    return [_string(entry).lower() for entry in value]


def _pattern(value: Any) -> str:
    return _string(value).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _days(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 3650:
        raise ValueError(_("must be a number of days from 1 to 3650"))
    return value


def _day(value: Any) -> date:
    try:
        return date.fromisoformat(value)
    except (ValueError, TypeError) as error:
        raise ValueError(_("must be a date, YYYY-MM-DD")) from error


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(_("must be a number"))
    return float(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(_("must be true or false"))
    return value


def _id(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**63:
        raise ValueError(_("must be a group's id"))
    return value


def _text_operations(column: str) -> dict[str, Callable[[Any], Condition]]:
    return {
        "is": lambda value: Condition(f"lower({column}) = %s", (_string(value).lower(),)),
        "is_not": lambda value: Condition(f"lower({column}) <> %s", (_string(value).lower(),)),
        "contains": lambda value: Condition(f"{column} ILIKE %s", (f"%{_pattern(value)}%",)),
        "starts_with": lambda value: Condition(f"{column} ILIKE %s", (f"{_pattern(value)}%",)),
        "in": lambda value: Condition(f"lower({column}) = ANY(%s)", (_strings(value),)),
        "is_set": lambda value: Condition(f"{column} <> ''"),
        "is_not_set": lambda value: Condition(f"{column} = ''"),
    }


def _date_operations(column: str) -> dict[str, Callable[[Any], Condition]]:
    return {
        "on_or_after": lambda value: Condition(f"{column} >= %s", (_day(value),)),
        "on_or_before": lambda value: Condition(f"{column} < %s::date + 1", (_day(value),)),
        "last_days": lambda value: Condition(f"{column} > now() - make_interval(days => %s)", (_days(value),)),
        "before_days": lambda value: Condition(
            f"COALESCE({column}, '-infinity') <= now() - make_interval(days => %s)", (_days(value),)
        ),
        "is_set": lambda value: Condition(f"{column} IS NOT NULL"),
        "is_not_set": lambda value: Condition(f"{column} IS NULL"),
    }


def _activity_operations(column: str) -> dict[str, Callable[[Any], Condition]]:
    # Reads the contact's own messages only, newest first, through the index (contact, -id).
    exists = (  # the column is one of _ACTIVITIES
        "EXISTS (SELECT 1 FROM messaging_message activity WHERE activity.contact_id = contact.id"  # noqa: S608
        f" AND activity.direction = 'out' AND activity.{column} > now() - make_interval(days => %s))"
    )
    return {
        "last_days": lambda value: Condition(exists, (_days(value),)),
        "not_last_days": lambda value: Condition(f"NOT {exists}", (_days(value),)),
    }


def _custom_operations(rule: FieldRule) -> dict[str, Callable[[Any], Condition]]:
    # The key is one of CustomField: lower-case letters, digits and _, so it cannot leave the quotes.
    text = f"(contact.custom->>'{rule.key}')"
    if rule.type == "number":
        # A field may have been of another type once: what is no number is passed over, it does not break the filter.
        number = f"(CASE WHEN jsonb_typeof(contact.custom->'{rule.key}') = 'number' THEN {text}::numeric END)"
        return {
            "is": lambda value: Condition(f"{number} = %s", (_number(value),)),
            "is_not": lambda value: Condition(f"{number} IS DISTINCT FROM %s", (_number(value),)),
            "at_least": lambda value: Condition(f"{number} >= %s", (_number(value),)),
            "at_most": lambda value: Condition(f"{number} <= %s", (_number(value),)),
            "is_set": lambda value: Condition(f"{text} IS NOT NULL"),
            "is_not_set": lambda value: Condition(f"{text} IS NULL"),
        }
    if rule.type == "date":
        return _date_operations(f"(CASE WHEN pg_input_is_valid({text}, 'date') THEN {text}::date END)")
    if rule.type == "boolean":
        return {
            "is": lambda value: Condition(
                f"COALESCE(contact.custom->'{rule.key}' = 'true', false) = %s", (_boolean(value),)
            )
        }
    return _text_operations(f"COALESCE({text}, '')")


def _status(value: Any) -> str:
    if value not in ("active", "inactive"):
        raise ValueError(_("must be active or inactive"))
    return str(value)


_MEMBER: Final = (
    "EXISTS (SELECT 1 FROM contacts_groupmember member WHERE member.group_id = %s AND member.contact_id = contact.id)"
)
_SUPPRESSED: Final = (
    "EXISTS (SELECT 1 FROM contacts_suppression suppression WHERE suppression.address = contact.phone) = %s"
)
_SPECIAL: Final[dict[str, dict[str, Callable[[Any], Condition]]]] = {
    "status": {
        "is": lambda value: Condition("contact.status = %s", (_status(value),)),
        "is_not": lambda value: Condition("contact.status <> %s", (_status(value),)),
    },
    "tags": {
        "has": lambda value: Condition("contact.tags @> ARRAY[%s]::varchar[]", (_string(value),)),
        "has_not": lambda value: Condition("NOT contact.tags @> ARRAY[%s]::varchar[]", (_string(value),)),
    },
    "group": {
        "in": lambda value: Condition(_MEMBER, (_id(value),)),
        "not_in": lambda value: Condition(f"NOT {_MEMBER}", (_id(value),)),
    },
    "suppressed": {"is": lambda value: Condition(_SUPPRESSED, (_boolean(value),))},
}


def segment_operations(name: str, *, custom: Mapping[str, FieldRule]) -> list[str]:
    """The operations that the field `name` has; none for what is no field."""
    return list(_Compiler(custom)._operations(name) or ())
