"""The look at the template before a message of it is queued: known, approved, filled in completely, of what category.

Without it the provider would refuse message after message, minutes later. It only speaks for accounts whose templates
have been read: of others nobody here knows what they have.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext as _

from messaging.drivers.base import ContentError, Driver
from messaging.drivers.templates import TemplateDriver
from messaging.models import MessageTemplate, TemplateSync
from messaging.services.content_refusals import content_refused
from tenants.errors import InvalidInput

# A template that is paused stops within a second on every process.
_KNOWN_SECONDS: Final = 0.8
_KNOWN_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Known:
    """`row`: (status, reason, parameter format, components, category), None when there is no such template."""

    is_read: bool
    row: tuple[str, str, str, list[Any], str] | None


_cache: dict[tuple[str, str, str, str, str], tuple[float, _Known]] = {}


def template_guard(*, schema: str, kind: str, account_id: str, driver: Driver, content: Mapping[str, Any]) -> str:
    """Check a valid template message of the current `schema` against the template itself, at most 0.8 s old.

    Returns the template's category, "" for other content, which passes, and where it is not known. Raises
    `InvalidInput` template_unknown, template_not_approved, template_values_wrong.
    """
    if content.get("type") != "template" or not account_id or not isinstance(driver, TemplateDriver):
        return ""
    template = content["template"]
    name, language = str(template["name"]), str(template["language"]["code"])
    known = _look_up(schema, kind, account_id, name, language)
    if known.row is None:
        if known.is_read:
            text = _("There is no template %(name)s in %(language)s. Read the templates again if it is new.") % {
                "name": name[:100],
                "language": language,
            }
            raise InvalidInput("template_unknown", text, {"template.name": _("is not known in this language")})
        return ""
    status, reason, parameter_format, components, category = known.row
    if status != MessageTemplate.Status.APPROVED:
        refusal = _("The template %(name)s (%(language)s) cannot be sent: it is %(state)s.") % {
            "name": name[:100],
            "language": language,
            "state": status,
        }
        text = f"{refusal} {reason}".strip()
        raise InvalidInput("template_not_approved", text, {"template.name": _("is %(state)s") % {"state": status}})
    if not components:
        return category
    try:
        driver.check_template_values(components, parameter_format, content)
    except ContentError as error:
        raise content_refused(error, code="template_values_wrong") from error
    return category


def template_category(*, schema: str, kind: str, account_id: str, content: Mapping[str, Any]) -> str:
    """The category of the template that `content` is of, such as MARKETING; "" for other content and unknown ones."""
    if content.get("type") != "template" or not account_id:
        return ""
    template = content["template"]
    known = _look_up(schema, kind, account_id, str(template["name"]), str(template["language"]["code"]))
    return known.row[4] if known.row is not None else ""


def _look_up(schema: str, kind: str, account_id: str, name: str, language: str) -> _Known:
    key = (schema, kind, account_id, name, language)
    now = time.monotonic()
    found = _cache.get(key)
    if found is not None and now - found[0] < _KNOWN_SECONDS:
        return found[1]
    account = {"kind": kind, "account_id": account_id}
    row = (
        MessageTemplate.objects.filter(**account, name=name, language=language)
        .values_list("status", "reason", "parameter_format", "components", "category")
        .first()
    )
    if row is not None and row[0] == MessageTemplate.Status.DELETED:
        row = None
    known = _Known(row is not None or TemplateSync.objects.filter(**account).exists(), row)
    if len(_cache) >= _KNOWN_MAX:
        _cache.clear()
    _cache[key] = (now, known)
    return known


def cache_clear() -> None:
    """Forget what is remembered: what was changed in this process counts at once."""
    _cache.clear()
