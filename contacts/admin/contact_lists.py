"""The filters of the list of contacts: each one has an index or a condition of the segments behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from contacts.filters import ContactFilter
from contacts.models import Contact, Group, Segment
from tenants.errors import ServiceError

_CHOICES = 200
# What newer contacts have is offered: all that there is would cost a walk over everybody.
_LOOKED_AT = 2_000
_TAGS = 50


class _ListFilter(SimpleListFilter):
    """Narrows by one field of `ContactFilter`."""

    field: str

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if not value:
            return queryset
        try:
            wanted = filter_of({str(self.parameter_name): value}).contacts()
        except ServiceError:
            return queryset.none()
        return queryset & wanted


class StatusFilter(_ListFilter):
    title = gettext_lazy("status")
    parameter_name, field = "status", "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, str(label)) for value, label in Contact.Status.choices]


class GroupFilter(_ListFilter):
    title = gettext_lazy("group")
    parameter_name, field = "group", "group_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(pk), name) for pk, name in Group.objects.values_list("pk", "name")[:_CHOICES]]


class TagFilter(_ListFilter):
    title = gettext_lazy("tag")
    parameter_name, field = "tag", "tag"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        found = {*known_tags(), *filter(None, [self.value()])}
        return [(tag, tag) for tag in sorted(found)]


class LanguageFilter(_ListFilter):
    title = gettext_lazy("language")
    parameter_name, field = "language", "language"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        found = {*known_languages(), *filter(None, [self.value()])}
        return [(language, language) for language in sorted(found)]


class SegmentFilter(_ListFilter):
    title = gettext_lazy("segment")
    parameter_name, field = "segment", "segment_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(pk), name) for pk, name in Segment.objects.values_list("pk", "name")[:_CHOICES]]


def known_tags() -> list[str]:
    """Tags of the newest contacts, in their order."""
    newest = Contact.objects.order_by("-id").values_list("tags", flat=True)[:_LOOKED_AT]
    return sorted({tag for tags in newest for tag in tags})[:_TAGS]


def known_languages() -> list[str]:
    """Languages of the newest contacts, in their order."""
    newest = Contact.objects.order_by("-id").values_list("language", flat=True)[:_LOOKED_AT]
    return sorted(set(filter(None, newest)))


def filter_of(query: Mapping[str, Any]) -> ContactFilter:
    """The filter that the list's address names; what is no id finds nobody."""
    return ContactFilter(
        status=_text(query.get("status")),
        group_id=_id(query.get("group")),
        tag=_text(query.get("tag")),
        language=_text(query.get("language")),
        segment_id=_id(query.get("segment")),
        search=_text(query.get("q")),
    )


def _text(value: Any) -> str:
    return str(value or "").replace("\x00", "").strip()[:160]


def _id(value: Any) -> int | None:
    text = _text(value)
    if not text:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0
