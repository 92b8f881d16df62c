"""Lists of the admin: how rows are counted and paged."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from django.contrib.admin.views.main import ChangeList as DjangoChangeList
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from unfold.views import ChangeList as UnfoldChangeList

if TYPE_CHECKING:
    _ChangeList = DjangoChangeList
    _Paginator = Paginator[Any]
else:
    _Paginator = Paginator
    _ChangeList = UnfoldChangeList

# A filtered list is counted up to here and then says "more than": counting further costs time and helps nobody.
COUNT_CAP: Final = 1_000
# Below this estimate the table is small enough to be counted.
ESTIMATE_FROM: Final = 10_000
OLDER: Final = "older"
NEWER: Final = "newer"


def rows_estimated(model: type[Model]) -> int:
    """Rows of the model's table in the current schema as PostgreSQL's statistics have it; -1 when it has none yet."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(%s)",
            [connection.ops.quote_name(model._meta.db_table)],
        )
        row = cursor.fetchone()
    return int(row[0]) if row else -1


def count_capped(queryset: QuerySet[Any], cap: int = COUNT_CAP) -> int:
    """Rows of `queryset`, never reading more than `cap` + 1 of them; a result above `cap` means "more"."""
    return queryset.order_by()[: cap + 1].count()


class CappedPaginator(_Paginator):
    """Counts no further than needed: for the choice boxes of big tables."""

    @cached_property
    def count(self) -> int:
        queryset = self.object_list
        return count_capped(queryset) if isinstance(queryset, QuerySet) else len(queryset)


class PlainChangeList(_ChangeList):
    """A list whose title is the plural of what it lists, for people who may change it and for those who may not."""

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        if not self.is_popup:
            self.title = capfirst(str(self.opts.verbose_name_plural))
        # The frame would show "12 results (show all)" next to the title.
        self.full_result_count = self.result_count


class _KeysetPages:
    """What the frame asks of a paginator; the pages themselves come from `KeysetChangeList`."""

    template_name = "admin/keyset_pagination.html"

    def __init__(self, per_page: int) -> None:
        self.per_page = per_page


class KeysetChangeList(PlainChangeList):
    """Newest first, paged by id: page 100,000 costs as much as page 1. Needs rows ordered by `-id`."""

    result_list: Any

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self._cursors = {name: _cursor(request, name) for name in (OLDER, NEWER)}
        super().__init__(request, *args, **kwargs)

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        given = super().get_filters_params(params)
        return {name: value for name, value in given.items() if name not in self._cursors}

    def get_query_string(self, new_params: Any = None, remove: Any = None) -> str:
        """Links to filters start again at the newest row."""
        return super().get_query_string(new_params, [*(remove or []), OLDER, NEWER])

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        return ["-id"]

    def get_results(self, request: HttpRequest) -> None:
        """One page and one row more, to know whether it goes on. Counts are estimated or capped."""
        older, newer = self._cursors[OLDER], self._cursors[NEWER]
        size = self.list_per_page
        if newer is not None:
            found = list(self.queryset.filter(pk__gt=newer).order_by("id")[: size + 1])
            rows, self.has_newer, self.has_older = found[:size][::-1], len(found) > size, True
        else:
            page = self.queryset if older is None else self.queryset.filter(pk__lt=older)
            found = list(page[: size + 1])
            rows, self.has_newer, self.has_older = found[:size], older is not None, len(found) > size
        self.result_list = rows
        self.is_first_page = older is None and newer is None
        self.result_count, self.count_text = self._count(len(found))
        self.show_full_result_count = False
        self.show_admin_actions = True
        self.can_show_all = False
        self.multi_page = False
        self.paginator = _KeysetPages(size)

    def _count(self, seen: int) -> tuple[int, str]:
        if self.is_first_page and seen <= self.list_per_page:
            return seen, number_format(seen, force_grouping=True)
        if not self.query and not self.has_active_filters:
            estimate = rows_estimated(self.model)
            if estimate >= ESTIMATE_FROM:
                return estimate, _("about %(count)s") % {
                    "count": number_format(_rounded(estimate), force_grouping=True)
                }
        count = count_capped(self.queryset)
        if count > COUNT_CAP:
            return count, _("more than %(count)s") % {"count": number_format(COUNT_CAP, force_grouping=True)}
        return count, number_format(count, force_grouping=True)

    @property
    def older_url(self) -> str:
        """Address of the next page, with older rows; empty on the last one."""
        last = self.result_list[-1].pk if self.result_list else None
        return self.get_query_string({OLDER: last}) if self.has_older and last else ""

    @property
    def newer_url(self) -> str:
        """Address of the page before, with newer rows; empty on the first one."""
        first = self.result_list[0].pk if self.result_list else None
        return self.get_query_string({NEWER: first}) if self.has_newer and first else ""

    @property
    def window_note(self) -> str:
        """What a filter says about how far it looked."""
        return next((str(note) for spec in self.filter_specs if (note := getattr(spec, "window_note", ""))), "")

    @property
    def newest_url(self) -> str:
        """Address of the first page with the same filters."""
        return self.get_query_string()


def _cursor(request: HttpRequest, name: str) -> int | None:
    """An id from the address; anything that is no id (or no bigint) is ignored, as Django does for page numbers."""
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def _rounded(number: int) -> int:
    """Three significant digits: an estimate that shows more would claim what it does not know."""
    digits = max(0, len(str(number)) - 3)
    return round(number, -digits)
