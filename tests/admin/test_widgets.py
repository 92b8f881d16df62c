"""The select renders what the theme's does, in one piece."""

from __future__ import annotations

from typing import Any

import pytest
from django import forms
from django.template.base import Template
from pytest_django.asserts import assertHTMLEqual
from unfold.widgets import UnfoldAdminSelectWidget

from config.admin_widgets import SelectWidget
from config.time_zones import time_zone_places

CHOICES = [
    ("", "– any –"),
    ("a", "A & <b>"),
    ('"quoted"', "<script>alert(1)</script>"),
    ("Group <1>", [(1, "one"), (2, "deux\u202f€")]),
    (None, "nothing"),
]
VALUES = ["", "a", '"quoted"', 1, "2", None, "unknown"]


def rendered(widget: type[forms.Select], value: Any) -> str:
    return widget(choices=CHOICES, attrs={"data-x": "1"}).render("field", value, {"id": "id_field"})


@pytest.mark.parametrize("value", VALUES)
def test_it_offers_and_selects_what_the_theme_s_does(value: Any) -> None:
    assertHTMLEqual(rendered(SelectWidget, value), rendered(UnfoldAdminSelectWidget, value))
    assert "<script>" not in rendered(SelectWidget, value)


def test_the_number_of_templates_does_not_grow_with_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[Any] = []
    render = Template._render  # type: ignore[attr-defined]
    monkeypatch.setattr(Template, "_render", lambda self, context: names.append(self.name) or render(self, context))
    html = SelectWidget(choices=[(name, name) for name in time_zone_places()]).render("zone", "UTC")
    assert html.count("<option") > 400
    assert len(names) < 6, names
