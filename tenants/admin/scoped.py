"""Pages on an organisation's host for rows that live in the public schema: always cut to that organisation."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest

from config.admin_base import HistoryAdmin
from config.admin_sites import organization_of

M = TypeVar("M", bound=Model)


class ScopedAdmin(HistoryAdmin[M]):
    """Lists, look-ups, choices and changes see only rows of the host's organisation; another's id is 404."""

    organization_lookup: ClassVar[str] = "organization"

    def get_queryset(self, request: HttpRequest) -> QuerySet[M]:
        return super().get_queryset(request).filter(**{self.organization_lookup: organization_of(request).pk})
