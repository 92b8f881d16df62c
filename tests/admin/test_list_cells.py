"""What every row of a list has: badges, and the box that chooses it. They are rendered once and kept."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from django.utils.translation import override

from config.admin_base import GriotAdmin
from config.admin_decorators import display
from config.admin_sites import organization_site
from messaging.models import Message


def badge_of(value: Any) -> str:
    @display(description="state", label={"sent": "success"})
    def state(row: Any) -> Any:
        return row

    return str(state(value))


def test_a_badge_has_the_colour_of_its_key_and_escapes_its_text():
    badge = badge_of(("sent", "<b>sent</b>"))
    assert "bg-green-100" in badge
    assert "&lt;b&gt;sent&lt;/b&gt;" in badge
    assert "<b>" not in badge


def test_a_badge_without_a_colour_is_grey_and_one_without_a_text_is_a_dash():
    assert "bg-base-500" in badge_of(("lost", "lost"))
    assert "bg-base-500" in badge_of("lost")
    assert badge_of("") == badge_of(None) == "–"


def test_the_box_of_a_row_has_its_id_and_the_readers_language():
    admin = GriotAdmin(Message, organization_site)
    with override("en"):
        first, second = (admin.action_checkbox(SimpleNamespace(pk=pk)) for pk in (17, 18))
    with override("fr"):
        french = admin.action_checkbox(SimpleNamespace(pk=17))
    assert 'name="_selected_action"' in first
    assert 'value="17"' in first
    assert 'value="18"' in second
    assert "Select record" in first
    assert "Select record" not in french
