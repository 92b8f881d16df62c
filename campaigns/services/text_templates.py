"""Text templates: make, change, fill in, count their use.

`viewer` is the member who asks: they see public templates and their own, administrators and owners all (None: all).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.services.recording import audit_record, differences
from campaigns.models import MarketingTemplate
from campaigns.personalisation import ALIASES, personalise, unknown_variables, variables_of
from campaigns.services.content import KNOWN
from messaging.sms_text import TextCost, text_cost
from tenants.errors import InvalidInput, NotFound

CONTENT_LENGTH = 4096


@dataclass(frozen=True, slots=True)
class Preview:
    """A template filled in, and what the text costs as SMS."""

    template: MarketingTemplate
    text: str
    variables: list[str]
    cost: TextCost


def templates_of(*, viewer: int | None) -> QuerySet[MarketingTemplate]:
    """What the member `viewer` may see, the newest first."""
    rows = MarketingTemplate.objects.order_by("-id")
    return rows if viewer is None else rows.filter(Q(is_public=True) | Q(membership_id=viewer))


def text_template_get(*, template_id: int, viewer: int | None) -> MarketingTemplate:
    """One template. Raises `NotFound`, also for somebody else's private one."""
    found = templates_of(viewer=viewer).filter(pk=template_id).first()
    if found is None:
        raise NotFound("template_not_found", _("There is no such template."))
    return found


def text_template_create(
    *, name: str, content: str, category: str, is_public: bool = False, membership_id: int | None = None
) -> MarketingTemplate:
    """A new template. Raises `InvalidInput` naming every field that is wrong."""
    template = MarketingTemplate(membership_id=membership_id)
    _apply(template, {"name": name, "content": content, "category": category, "is_public": is_public})
    with transaction.atomic():
        template.save(force_insert=True)
        audit_record(action="template.created", subject=template, new=_described(template))
    return template


def text_template_update(*, template_id: int, viewer: int | None, **changes: Any) -> MarketingTemplate:
    """Change name, content, category or is_public. Raises `NotFound`, `InvalidInput`."""
    with transaction.atomic():
        template = text_template_get(template_id=template_id, viewer=viewer)
        old = _described(template)
        _apply(template, changes)
        before, after = differences(old, _described(template))
        if after:
            template.updated_at = timezone.now()
            template.save(update_fields=[*after, "updated_at"])
            audit_record(action="template.updated", subject=template, old=before, new=after)
    return template


def text_template_delete(*, template_id: int, viewer: int | None) -> None:
    """Delete a template; what was sent with it stays. Raises `NotFound`."""
    with transaction.atomic():
        template = text_template_get(template_id=template_id, viewer=viewer)
        audit_record(action="template.deleted", subject=template, old=_described(template))
        template.delete()


def text_template_use(*, template_id: int, viewer: int | None) -> MarketingTemplate:
    """Count one more use, exactly, however many count at once. Raises `NotFound`."""
    template = text_template_get(template_id=template_id, viewer=viewer)
    MarketingTemplate.objects.filter(pk=template.pk).update(usage_count=F("usage_count") + 1)
    template.refresh_from_db()
    return template


def text_template_preview(*, template_id: int, viewer: int | None, sample_data: Mapping[str, str]) -> Preview:
    """The template filled with `sample_data`, whose names may stand in braces (`{nom}`) or not (`nom`)."""
    template = text_template_get(template_id=template_id, viewer=viewer)
    values = {}
    for name, value in sample_data.items():
        plain = name.strip().removeprefix("{").removesuffix("}").strip()
        values[ALIASES.get(plain, plain)] = value
    text = personalise(template.content, values)
    return Preview(template, text, variables_of(template.content), text_cost(text))


def _apply(template: MarketingTemplate, values: Mapping[str, Any]) -> None:
    problems: dict[str, str] = {}
    for field, value in values.items():
        setattr(template, field, value)
    template.name = " ".join(template.name.replace("\x00", "").split())
    if not 1 <= len(template.name) <= 120:
        problems["name"] = _("must have 1 to 120 characters")
    if not template.content.strip() or len(template.content) > CONTENT_LENGTH or "\x00" in template.content:
        problems["content"] = _("must have 1 to %(most)s characters") % {"most": CONTENT_LENGTH}
    elif unknown := unknown_variables(template.content):
        names = ", ".join(f"{{{name}}}" for name in unknown)
        problems["content"] = _("%(names)s is no variable: use %(known)s") % {"names": names, "known": KNOWN}
    if template.category not in MarketingTemplate.Category.values:
        problems["category"] = _("must be one of %(choices)s") % {
            "choices": ", ".join(MarketingTemplate.Category.values)
        }
    if problems:
        raise InvalidInput("invalid_template", _("The template cannot be saved like this."), problems)


def _described(template: MarketingTemplate) -> dict[str, Any]:
    return {name: getattr(template, name) for name in ("name", "content", "category", "is_public")}
