"""A marketer's morning: import a file, compose an A/B campaign, plan it, send it, watch it, read the results."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

PEOPLE = 40


def picture(page: Any, name: str) -> None:
    """Keep a picture of the page where BROWSER_PICTURES says."""
    if directory := os.environ.get("BROWSER_PICTURES"):
        page.screenshot(path=f"{directory}/{name}.png", full_page=True)


def people_import(page: Any, admin: str, file: Path) -> None:
    """A file of people, who join the group that it names."""
    from playwright.sync_api import expect

    lines = [f"Ada {number};+2296188{number:04d};Spring" for number in range(10, 10 + PEOPLE)]
    file.write_text("\n".join(["Name;Phone;Group", *lines, "Broken;12;"]), encoding="utf-8")
    page.goto(f"{admin}/contacts/contactimport/add/")
    page.set_input_files("[name=file]", str(file))
    page.click("#service-form button[type=submit]")
    page.click("#service-form button[type=submit]")
    state = page.locator("#import-state")
    expect(state.locator("tbody tr")).to_have_text(["42Phone12must have 8 to 20 characters"], timeout=60_000)
    # The page's buttons are those of a finished import, without a reload by hand.
    expect(page.get_by_role("link", name="Stop")).to_have_count(0, timeout=20_000)
    expect(page.get_by_role("link", name="Remove")).to_be_visible()


def compose(page: Any, admin: str) -> None:
    """A/B with two texts, to the group, every week."""
    from playwright.sync_api import expect

    page.goto(f"{admin}/campaigns/campaign/add/")
    # Only what the choices ask for is there.
    for name in ("text_b", "winner_metric", "groups", "phones", "weekdays", "time"):
        expect(page.locator(f"[name={name}]").first).to_be_hidden()
    page.fill("[name=name]", "Spring sale")
    page.select_option("[name=channel]", index=1)
    page.fill("[name=text]", "Hello {prenom|friend}, the sale begins today.")
    page.fill("[name=percent_b]", "50")
    page.fill("[name=text_b]", "{nom}, everything is cheaper today.")
    page.select_option("[name=audience_kind]", "groups")
    page.get_by_label(f"Spring ({PEOPLE})").check()
    page.select_option("[name=frequency]", "weekly")
    page.fill("[name=time]", "09:00")
    page.fill("[name=start_date]", "2031-01-06")
    preview = page.locator("#campaign-preview")
    expect(preview).to_contain_text("Ada, the sale begins today", timeout=20_000)
    expect(preview).to_contain_text(f"{PEOPLE} recipients")
    expect(preview.locator("ol li")).to_have_count(10, timeout=20_000)
    expect(preview.locator("ol li").first).to_have_text("Mon 6 Jan 2031 09:00")
    picture(page, "composer")
    page.click("#service-form button[type=submit]")


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_a_campaign_from_the_file_of_its_recipients_to_its_chart(
    live_stack: Any, browser_page: Any, tmp_path: Path
) -> None:
    from playwright.sync_api import expect

    page, organization = browser_page, live_stack.demo["organization"]
    admin = organization["admin_url"].rstrip("/")
    page.goto(f"{admin}/")
    page.fill("[name=username]", organization["email"])
    page.fill("[name=password]", organization["password"])
    page.click("#login-form button[type=submit]")
    people_import(page, admin, tmp_path / "spring.csv")
    compose(page, admin)

    expect(page.locator("#campaign-state")).to_contain_text("It has not run yet")
    expect(page.locator("#campaign-summary")).to_contain_text("Groups: Spring")
    picture(page, "before")
    page.goto(f"{page.url.split('/change/')[0]}/launch/")
    expect(page.locator("#campaign-plan")).to_contain_text(str(PEOPLE))
    picture(page, "plan")
    page.click("#service-form button[type=submit]")

    state = page.locator("#campaign-state")
    expect(state).to_contain_text("Recipients and what became of them", timeout=60_000)
    # Renewed by itself: all messages, all of them final, 20 of each version.
    expect(state.locator("dd").nth(0)).to_have_text(str(PEOPLE), timeout=60_000)
    expect(state.locator("dd").nth(1)).to_have_text("0", timeout=120_000)
    expect(page.locator(".gr-chart polyline")).to_have_count(4, timeout=60_000)
    versions = page.locator(".gr-card", has_text="Versions").locator("tbody tr")
    expect(versions).to_have_count(2)
    expect(versions.nth(0)).to_contain_text("20")
    # The campaign is at rest until its next day; its buttons have followed.
    expect(page.get_by_role("link", name="Plan and send")).to_be_visible(timeout=60_000)
    picture(page, "progress")
    page.click("text=Recipients and what became of them")
    expect(page.locator("#campaign-results tbody tr")).to_have_count(PEOPLE)
    picture(page, "results")
