"""A file of contacts from the upload to the rows that were not taken, and a segment clicked together."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest


def picture(page: Any, name: str) -> None:
    """Keep a picture of the page where BROWSER_PICTURES says."""
    if directory := os.environ.get("BROWSER_PICTURES"):
        page.screenshot(path=f"{directory}/{name}.png", full_page=True)


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_a_file_is_imported_and_its_mistakes_are_shown(live_stack: Any, browser_page: Any, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    file = tmp_path / "customers.csv"
    lines = [f"Client {number};+2296177{number:04d};vip;Cotonou" for number in range(40)]
    file.write_text("\n".join(["Nom;Téléphone;Étiquettes;Ville", *lines, "Broken;12;;"]), encoding="cp1252")
    page, organization = browser_page, live_stack.demo["organization"]
    admin = organization["admin_url"].rstrip("/")
    page.goto(f"{admin}/")
    page.fill("[name=username]", organization["email"])
    page.fill("[name=password]", organization["password"])
    page.click("#login-form button[type=submit]")
    page.locator('#nav-sidebar a[href="/admin/contacts/contactimport/"]').click()
    page.goto(f"{admin}/contacts/contactimport/add/")
    picture(page, "import-upload")
    page.set_input_files("[name=file]", str(file))
    page.click("#service-form button[type=submit]")

    columns = page.locator("#import-columns")
    expect(columns).to_contain_text("Client 0")
    expect(page.locator("[name=column_1]")).to_have_value("phone")
    expect(page.locator("[name=column_2]")).to_have_value("tags")
    page.select_option("[name=column_3]", "custom.ville")
    picture(page, "import-columns")
    page.click("#service-form button[type=submit]")

    state = page.locator("#import-state")
    expect(state.locator("dd").nth(0)).to_have_text("41", timeout=60_000)
    expect(state.locator("dd").nth(1)).to_have_text("40")
    expect(state.locator("tbody tr")).to_have_count(1)
    picture(page, "import-result")

    page.goto(f"{admin}/contacts/contact/?tag=vip")
    expect(page.locator("#result_list tbody tr").first).to_contain_text("Client")
    picture(page, "contacts-list")
    page.goto(f"{admin}/contacts/segment/add/")
    page.fill("[name=name]", "From Cotonou")
    expect(page.locator("#segment-count")).to_contain_text("contacts", timeout=20_000)
    page.get_by_role("button", name="Add a rule").click()
    rule = page.locator("#segment-builder .gr-rule").nth(2)
    rule.locator("select").nth(0).select_option("custom.ville")
    rule.locator("input").fill("cotonou")
    expect(page.locator("#segment-count")).to_contain_text("40 contacts", timeout=20_000)
    # A group inside: what is wrong stands at its line until it is mended.
    page.get_by_role("button", name="Add a group of rules").click()
    inner = page.locator("#segment-builder .gr-rules .gr-rules")
    inner.locator("select").nth(0).select_option("none")
    inner.locator("select").nth(1).select_option("tags")
    expect(inner.locator(".gr-rule-problem").last).to_have_text("is required", timeout=20_000)
    inner.locator("input").fill("vip")
    expect(page.locator("#segment-count")).to_have_text("0 contacts", timeout=20_000)
    inner.locator("input").fill("nobody")
    expect(page.locator("#segment-count")).to_have_text("40 contacts", timeout=20_000)
    expect(inner.locator(".gr-rule-problem").last).to_be_hidden()
    picture(page, "segment")
    page.click("#service-form button[type=submit]")
    expect(page.locator("body")).to_contain_text("From Cotonou")
    expect(page.locator("body")).to_contain_text("Tags include nobody")
