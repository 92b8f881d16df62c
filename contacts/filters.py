"""Which contacts are meant: the filters of the admin's list, of exports and of actions on all that match."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.db.models import BooleanField
from django.db.models.expressions import RawSQL

from contacts.models import Contact
from contacts.querysets import ContactQuerySet
from contacts.services.segments import segment_condition


@dataclass(frozen=True, slots=True)
class ContactFilter:
    """Everybody who satisfies all that is given; nothing given means everybody."""

    status: str = ""
    group_id: int | None = None
    tag: str = ""
    language: str = ""
    segment_id: int | None = None
    search: str = ""

    def contacts(self) -> ContactQuerySet:
        """The contacts, in no order. Raises `NotFound` and `InvalidInput` of a segment that cannot be used any more."""
        found: ContactQuerySet = Contact.objects.order_by()
        if self.status:
            found = found.with_status(self.status)
        if self.group_id is not None:
            found = found.in_group(self.group_id)
        if self.tag:
            found = found.tagged(self.tag)
        if self.language:
            found = found.filter(language=self.language)
        if self.segment_id is not None:
            condition = segment_condition(segment_id=self.segment_id)
            # On the table itself: pages and walks in the order of the id end as soon as they are full. Keys of custom
            # fields have no dots, so only our own alias is replaced.
            sql = condition.sql.replace("contact.", '"contacts_contact".')
            found = found.filter(RawSQL(sql, condition.params, BooleanField()))  # noqa: S611  compiled, see segments
        if self.search:
            found = found.beginning_with(self.search)
        return found

    def as_json(self) -> dict[str, Any]:
        """What is given, to be stored."""
        return {name: value for name, value in asdict(self).items() if value}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ContactFilter:
        """What `as_json` stored."""
        return cls(**values)


def contact_ids_after(found: ContactQuerySet, *, after: int, until: int, limit: int) -> list[int]:
    """The next ids of `found` in their order, for walks in bounded steps."""
    return list(found.filter(pk__gt=after, pk__lte=until).order_by("pk").values_list("pk", flat=True)[:limit])
