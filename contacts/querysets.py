"""Reading contacts: filters that can be chained, and pages that need no count of the whole table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar

from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from contacts.models import Contact

M = TypeVar("M", bound=models.Model)
# People found by a beginning: beyond so many, the search is too broad to page through.
SEARCHED_MOST: Final = 1_000
# `OFFSET` reads what it skips: further back one goes by `after`.
PAGE_ROWS_MOST: Final = 100_000


@dataclass(frozen=True, slots=True)
class Page(Generic[M]):
    """Rows, and whether there are more after them."""

    rows: list[M]
    has_more: bool


class ContactQuerySet(models.QuerySet["Contact"]):
    """Filters over contacts; each can be chained with any other."""

    def with_status(self, status: str) -> Self:
        """Active or inactive ones."""
        return self.filter(status=status)

    def in_group(self, group_id: int) -> Self:
        """Members of the group."""
        return self.filter(memberships__group_id=group_id)

    def tagged(self, tag: str) -> Self:
        """Those that have the tag, written just so."""
        return self.filter(tags__contains=[tag])

    def with_custom(self, key: str, value: Any) -> Self:
        """Those whose custom field has the value, in the form in which it is stored."""
        return self.filter(custom__contains={key: value})

    def searched(self, text: str) -> Self:
        """Whose phone, name or e-mail begins with `text`, by their indexes; an empty text finds everybody.

        Names and addresses are found in the case in which they are written, or in the usual other ones.
        """
        text = text.replace("\x00", "").strip()
        if not text:
            return self
        found = self.model._base_manager.filter(_begins(text))
        # Taken from the indexes first: in the order of the list, rare old ones would cost a walk over everybody.
        return self.filter(pk__in=found.order_by().values("pk")[:SEARCHED_MOST])

    def beginning_with(self, text: str) -> Self:
        """As `searched`, all of them: for walks over all that match."""
        text = text.replace("\x00", "").strip()
        return self.filter(_begins(text)) if text else self

    def before(self, contact_id: int) -> Self:
        """Those older than this one: the next page of the list, which has the newest first."""
        return self.filter(pk__lt=contact_id)

    def newest(self, limit: int) -> Page[Contact]:
        """The first `limit` by age with their main groups, the newest first; goes on with `before`."""
        rows = list(self.select_related("primary_group").order_by("-id")[: limit + 1])
        return Page(rows[:limit], len(rows) > limit)

    def page(self, number: int, per_page: int) -> Page[Contact]:
        """Page `number` (from 1). Empty beyond `PAGE_ROWS_MOST` rows: use `before` there."""
        start = (max(number, 1) - 1) * per_page
        if start + per_page > PAGE_ROWS_MOST:
            return Page([], False)
        rows = list(self.select_related("primary_group").order_by("-id")[start : start + per_page + 1])
        return Page(rows[:per_page], len(rows) > per_page)

    def count_up_to(self, most: int) -> int:
        """How many there are, counted no further than `most` + 1."""
        return self.order_by().values("pk")[: most + 1].count()


def _begins(text: str) -> Q:
    found = Q()
    for start in {text, text.lower(), text.upper(), text.capitalize(), text.title()}:
        found |= Q(name__startswith=start)
    digits = "".join(character for character in text if character.isdigit())
    if digits and not any(character.isalpha() for character in text):
        found |= Q(phone__startswith=digits.removeprefix("00"))
    if " " not in text:
        found |= Q(email__startswith=text) | Q(email__startswith=text.lower())
    return found
