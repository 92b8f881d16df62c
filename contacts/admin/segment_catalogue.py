"""Segments in words: what the page that puts rules together offers, and how saved rules are read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from contacts.admin.contact_lists import known_languages, known_tags
from contacts.models import Contact, CustomField, Group
from contacts.segments import segment_operations
from contacts.services.custom_fields import field_rules

_DAYS: Final = frozenset({"last_days", "not_last_days", "before_days"})
_GROUPS: Final = 1_000
FIELDS: Final = {
    "name": gettext_lazy("Name"),
    "email": gettext_lazy("E-mail"),
    "phone": gettext_lazy("Phone"),
    "status": gettext_lazy("Status"),
    "tags": gettext_lazy("Tags"),
    "group": gettext_lazy("Group"),
    "language": gettext_lazy("Language"),
    "timezone": gettext_lazy("Time zone"),
    "created_at": gettext_lazy("Created"),
    "last_seen_at": gettext_lazy("Last message from them"),
    "sent": gettext_lazy("Was sent a message"),
    "delivered": gettext_lazy("Got a message"),
    "read": gettext_lazy("Read a message"),
    "failed": gettext_lazy("A message failed"),
    "suppressed": gettext_lazy("Must not be written to"),
}
OPERATIONS: Final = {
    "is": gettext_lazy("is"),
    "is_not": gettext_lazy("is not"),
    "contains": gettext_lazy("contains"),
    "starts_with": gettext_lazy("begins with"),
    "in": gettext_lazy("is one of"),
    "not_in": gettext_lazy("is none of"),
    "is_set": gettext_lazy("is known"),
    "is_not_set": gettext_lazy("is not known"),
    "at_least": gettext_lazy("is at least"),
    "at_most": gettext_lazy("is at most"),
    "on_or_after": gettext_lazy("is on or after"),
    "on_or_before": gettext_lazy("is on or before"),
    "last_days": gettext_lazy("within the last"),
    "not_last_days": gettext_lazy("not within the last"),
    "before_days": gettext_lazy("longer ago than"),
    "has": gettext_lazy("include"),
    "has_not": gettext_lazy("do not include"),
}


def segment_catalogue() -> dict[str, Any]:
    """What the page's script offers: `fields` with their operations and choices, `operations` and `words`."""
    rules = field_rules()
    customs = {f"custom.{field.key}": field for field in CustomField.objects.order_by("key")}
    labels = {name: str(label) for name, label in FIELDS.items()} | {name: str(f) for name, f in customs.items()}
    choices = _choices(customs)
    if not choices["group"]:
        del labels["group"]
    suggestions = {"tags": known_tags(), "language": known_languages()}
    return {
        "fields": [
            {
                "name": name,
                "label": label,
                "operations": segment_operations(name, custom=rules),
                "choices": choices.get(name, []),
                "suggestions": suggestions.get(name, []),
                "number": name in customs and customs[name].type == CustomField.Type.NUMBER,
                "one": name == "group",
            }
            for name, label in labels.items()
        ],
        "operations": {name: str(label) for name, label in OPERATIONS.items()},
        "words": _words(),
    }


def _choices(customs: dict[str, CustomField]) -> dict[str, list[list[Any]]]:
    yes_no = [[True, _("Yes")], [False, _("No")]]
    choices: dict[str, list[list[Any]]] = {
        "status": [[value, str(label)] for value, label in Contact.Status.choices],
        "group": [[pk, name] for pk, name in Group.objects.order_by("name").values_list("pk", "name")[:_GROUPS]],
        "suppressed": yes_no,
    }
    for name, field in customs.items():
        if field.type == CustomField.Type.BOOLEAN:
            choices[name] = yes_no
        elif field.type == CustomField.Type.CHOICE:
            choices[name] = [[str(choice), str(choice)] for choice in field.choices]
    return choices


def _words() -> dict[str, str]:
    return {
        "all": _("All of these"),
        "any": _("Any of these"),
        "none": _("None of these"),
        "match": _("How the rules are joined"),
        "field": _("Field"),
        "operation": _("Comparison"),
        "value": _("Value"),
        "values": _("Values, with commas between them"),
        "days": _("days"),
        "add": _("Add a rule"),
        "addGroup": _("Add a group of rules"),
        "remove": _("Remove"),
        "removeGroup": _("Remove the group"),
        "text": _("Edit as text"),
        "lines": _("Edit as lines"),
    }


def segment_words(rules: Any) -> Iterator[tuple[int, str]]:
    """(depth, line) for each part of rules that were saved, in the order in which they are read."""
    labels = {name: str(label) for name, label in FIELDS.items()}
    labels |= {f"custom.{field.key}": str(field) for field in CustomField.objects.all()}
    groups = dict(Group.objects.values_list("pk", "name")[:_GROUPS])
    yield from _lines(rules, labels, groups, 0)


def _lines(rule: Any, labels: dict[str, str], groups: dict[int, str], depth: int) -> Iterator[tuple[int, str]]:
    if "field" in rule:
        yield depth, _sentence(rule, labels, groups)
        return
    if "not" in rule:
        inner = rule["not"]
        parts, title = inner.get("any", [inner]), _("None of these")
    else:
        parts, title = (rule["all"], _("All of these")) if "all" in rule else (rule["any"], _("Any of these"))
    yield depth, f"{title}:"
    for part in parts:
        yield from _lines(part, labels, groups, depth + 1)


def _sentence(rule: dict[str, Any], labels: dict[str, str], groups: dict[int, str]) -> str:
    name, op, value = rule["field"], rule["op"], rule.get("value")
    words = [labels.get(name, name), str(OPERATIONS.get(op, op))]
    if op in _DAYS and isinstance(value, int):
        words.append(ngettext("%(count)d day", "%(count)d days", value) % {"count": value})
    elif isinstance(value, bool):
        words.append(_("Yes") if value else _("No"))
    elif isinstance(value, list):
        words.append(", ".join(str(part) for part in value))
    elif name == "group" and isinstance(value, int):
        words.append(groups.get(value, f"#{value}"))
    elif name == "status":
        words.append(str(dict(Contact.Status.choices).get(str(value), value)))
    elif value not in (None, ""):
        words.append(str(value))
    return " ".join(words)
