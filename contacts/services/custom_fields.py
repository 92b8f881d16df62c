"""Typed custom fields: what may be stored in `Contact.custom`, and in which form."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from django.utils.translation import gettext as _

from contacts.models import CustomField
from tenants.errors import InvalidInput

_KEY: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
MAX_FIELDS: Final = 200
MAX_TEXT: Final = 1000
_TRUE: Final = frozenset({"true", "yes", "1", "on", "oui", "si", "sí", "vrai"})
_FALSE: Final = frozenset({"false", "no", "0", "off", "non", "faux"})


@dataclass(frozen=True, slots=True)
class FieldRule:
    """One definition, as values are checked against it."""

    key: str
    type: str
    choices: tuple[str, ...] = ()


def field_rules() -> dict[str, FieldRule]:
    """The definitions of the current schema by key."""
    rows = CustomField.objects.values_list("key", "type", "choices")
    return {key: FieldRule(key, type_, tuple(str(choice) for choice in choices)) for key, type_, choices in rows}


def fields_ensure(*, keys: Iterable[str]) -> dict[str, FieldRule]:
    """The definitions, with a text field for each key that had none.

    Raises `InvalidInput` for a bad key, and for too many fields.
    """
    rules = field_rules()
    missing = sorted(set(keys) - rules.keys())
    bad = [key for key in missing if not _KEY.fullmatch(key)]
    if bad:
        problems = {
            f"custom_fields.{key}": _("must be lower-case letters, digits and _, a letter first, at most 40")
            for key in bad
        }
        raise InvalidInput("invalid_custom_field", _("A custom field has a name that cannot be used."), problems)
    if len(rules) + len(missing) > MAX_FIELDS:
        text = _("There are at most %(most)s custom fields.") % {"most": MAX_FIELDS}
        raise InvalidInput("too_many_custom_fields", text, {"custom_fields": text})
    CustomField.objects.bulk_create([CustomField(key=key) for key in missing], ignore_conflicts=True)
    return field_rules() if missing else rules


def custom_normalise(values: Mapping[str, Any], rules: Mapping[str, FieldRule]) -> dict[str, Any]:
    """`values` in the form in which they are stored; None and "" drop a value.

    text: str, number: int or float, date: "YYYY-MM-DD", boolean: bool, choice: one of the list. Raises `InvalidInput`
    with every wrong value as `custom_fields.<key>`.
    """
    stored: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for key, value in values.items():
        rule = rules.get(key)
        if rule is None:
            problems[f"custom_fields.{key}"] = _("is not a custom field")
        elif value is not None and value != "":
            try:
                stored[key] = custom_value(value, rule)
            except ValueError as error:
                problems[f"custom_fields.{key}"] = str(error)
    if problems:
        raise InvalidInput("invalid_custom_field", _("A custom field has a value that cannot be stored."), problems)
    return stored


def custom_value(value: Any, rule: FieldRule) -> Any:
    """One value that is not empty in the form in which it is stored. Raises `ValueError`."""
    return _READERS[rule.type](value, rule)


def _text(value: Any, rule: FieldRule) -> str:
    if isinstance(value, (dict, list)):
        raise ValueError(_("must be a text"))
    text = str(value).replace("\x00", "").strip()
    if len(text) > MAX_TEXT:
        raise ValueError(_("must have at most %(most)s characters") % {"most": MAX_TEXT})
    return text


def _number(value: Any, rule: FieldRule) -> int | float:
    if isinstance(value, bool):
        raise ValueError(_("must be a number"))
    try:
        number = Decimal(str(value).strip().replace("\u00a0", "").replace(" ", "").replace(",", "."))
    except InvalidOperation as error:
        raise ValueError(_("must be a number")) from error
    if not number.is_finite() or abs(number) >= Decimal(10) ** 15:
        raise ValueError(_("must be a number below 10^15"))
    return int(number) if number == number.to_integral_value() else float(number)


def _date(value: Any, rule: FieldRule) -> str:
    try:
        return date.fromisoformat(str(value).strip()[:10]).isoformat()
    except ValueError as error:
        raise ValueError(_("must be a date, YYYY-MM-DD")) from error


def _boolean(value: Any, rule: FieldRule) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(_("must be yes or no"))


def _choice(value: Any, rule: FieldRule) -> str:
    text = _text(value, rule)
    for choice in rule.choices:
        if choice.lower() == text.lower():
            return choice
    raise ValueError(_("must be one of %(choices)s") % {"choices": ", ".join(rule.choices)})


_READERS: Final[dict[str, Callable[[Any, FieldRule], Any]]] = {
    CustomField.Type.TEXT: _text,
    CustomField.Type.NUMBER: _number,
    CustomField.Type.DATE: _date,
    CustomField.Type.BOOLEAN: _boolean,
    CustomField.Type.CHOICE: _choice,
}
