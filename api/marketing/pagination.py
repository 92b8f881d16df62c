"""Pages by number. Lists keep the documented shape (`data` is a list); `meta` says which page it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypeVar

from django.db.models import Model, QuerySet

from api.bodies import Body, BodyInvalid, FieldProblem, body_field
from api.body_types import WholeText
from contacts.querysets import PAGE_ROWS_MOST

PER_PAGE: Final = 100
PER_PAGE_MOST: Final = 1000
M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class PageQuery(Body):
    """`page` and `per_page` of every list."""

    component: ClassVar[str] = "PageQuery"

    page: int = body_field("page", WholeText(1, 1_000_000), default=1, help="The first page is 1.")
    per_page: int = body_field("per_page", WholeText(1, PER_PAGE_MOST), default=PER_PAGE, help="Rows on a page.")


def page_of(rows: QuerySet[M], asked: Any) -> tuple[list[M], dict[str, Any]]:
    """The page of `rows` that `asked` (with page and per_page) wants, and its `meta`. Raises `BodyInvalid`."""
    start = (asked.page - 1) * asked.per_page
    if start + asked.per_page > PAGE_ROWS_MOST:
        text = f"Only the first {PAGE_ROWS_MOST} rows can be paged through: use filters."
        raise BodyInvalid([FieldProblem("page", "out_of_range", text)])
    found = list(rows[start : start + asked.per_page + 1])
    return found[: asked.per_page], meta_of(asked, len(found) > asked.per_page)


def meta_of(asked: Any, has_more: bool) -> dict[str, Any]:
    """`meta` of a page."""
    return {"page": asked.page, "per_page": asked.per_page, "has_more": has_more}


def rows_of(rows: Sequence[M], asked: Any) -> tuple[list[M], dict[str, Any]]:
    """The same of a list that is in memory."""
    start = (asked.page - 1) * asked.per_page
    return list(rows[start : start + asked.per_page]), meta_of(asked, start + asked.per_page < len(rows))
