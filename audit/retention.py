"""How long the audit log is kept. What goes, goes from the beginning of the chain, whose new start is noted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from audit.models import AuditChain, AuditEntry
from tenants.services.retention_rules import BATCH, Position, Step, retention_register


@dataclass(frozen=True)
class ChainRule:
    """The oldest sealed entries: deleted in one piece, so that the rest of the chain can still be verified."""

    kind: str = "audit"
    label: str | Promise = _("audit log")
    text: str | Promise = _("Who changed what, with the values before and after.")
    order: int = 90
    # Less than the longest time after which somebody asks for a change would make the log useless.
    floor_days: int = 30
    is_public: bool = False

    @property
    def table(self) -> str:
        return AuditEntry._meta.db_table

    def step(self, *, before: datetime, position: Position, limit: int = BATCH) -> Step:
        with transaction.atomic():
            chain = AuditChain.objects.select_for_update().filter(pk=1).first()
            if chain is None:
                return Step(0, {}, True)
            last = self._old(chain, before, limit).last()
            if last is None:
                return Step(0, {}, True)
            old = AuditEntry.objects.filter(position__gt=chain.start_position, position__lte=last.position)
            removed = old.delete()[0]
            AuditChain.objects.filter(pk=1).update(start_position=last.position or 0, start_hash=last.hash)
        return Step(removed, {}, removed < limit)

    def ripe(self, *, before: datetime, position: Position, most: int) -> int:
        chain = AuditChain.objects.filter(pk=1).first()
        return self._old(chain, before, most).count() if chain else 0

    def oldest(self, *, position: Position) -> datetime | None:
        found = AuditEntry.objects.filter(position__isnull=False).order_by("position")
        return found.values_list("created_at", flat=True).first()

    def _old(self, chain: AuditChain, before: datetime, limit: int) -> QuerySet[AuditEntry]:
        """The entries from the start on, up to the first one that is too young."""
        window = AuditEntry.objects.filter(
            position__gt=chain.start_position, position__lte=chain.start_position + limit
        )
        young = window.filter(created_at__gte=before).order_by("position").values_list("position", flat=True).first()
        old = window if young is None else window.filter(position__lt=young)
        return old.order_by("position").only("position", "hash")


retention_register(ChainRule())
