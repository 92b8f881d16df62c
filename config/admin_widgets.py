"""Widgets of the admin's forms that differ from the theme's."""

from __future__ import annotations

from typing import Any

from django.forms.utils import flatatt
from django.utils.html import format_html_join
from unfold.widgets import UnfoldAdminSelectWidget


class SelectWidget(UnfoldAdminSelectWidget):
    """The theme's select, its options rendered together: countries and time zones are seven hundred.

    Django and the theme render two templates for each option, which took two thirds of such a page's time.
    """

    def optgroups(self, name: str, value: Any, attrs: Any = None) -> list[tuple[Any, list[dict[str, Any]], int]]:
        """One option for each group, which stands for all of the group; options without one are one group, too."""
        found: list[tuple[Any, list[dict[str, Any]], int]] = []
        for label, options, index in super().optgroups(name, value, attrs):
            if label is None and found and found[-1][0] is None:
                found[-1][1].extend(options)
            else:
                found.append((label, list(options), index))
        return [(label, [_together(options)], index) for label, options, index in found]


def _together(options: list[dict[str, Any]]) -> dict[str, Any]:
    rows = ((option["value"], flatatt(option["attrs"]), option["label"]) for option in options)
    html = format_html_join("\n", '<option value="{}"{}>{}</option>', rows)
    return {"template_name": "admin/select_options.html", "html": html}
