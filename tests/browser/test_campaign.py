"""A marketer's morning: compose an A/B campaign, look at the plan, send it, watch it live, read the results."""

from __future__ import annotations

import os
from typing import Any

import pytest


def picture(page: Any, name: str) -> None:
    """Keep a picture of the page where BROWSER_PICTURES says."""
    if directory := os.environ.get("BROWSER_PICTURES"):
        page.screenshot(path=f"{directory}/{name}.png", full_page=True)


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_a_campaign_from_the_first_word_to_its_chart(live_stack: Any, browser_page: Any) -> None:
    from playwright.sync_api import expect

    page, organization = browser_page, live_stack.demo["organization"]
    admin = organization["admin_url"].rstrip("/")
    page.goto(f"{admin}/")
    page.fill("[name=username]", organization["email"])
    page.fill("[name=password]", organization["password"])
    page.click("#login-form button[type=submit]")
    page.locator('#nav-sidebar a[href="/admin/campaigns/campaign/"]').click()
    page.goto(f"{admin}/campaigns/campaign/add/")

    page.fill("[name=name]", "Spring sale")
    page.select_option("[name=channel]", index=1)
    page.fill("[name=text]", "Hello {prenom|friend}, the sale begins today.")
    page.fill("[name=text_b]", "{nom}, everything is cheaper today.")
    page.fill("[name=percent_b]", "50")
    page.fill("[name=phones]", "\n".join(f"+2296188{number:04d}" for number in range(10, 50)))
    page.select_option("[name=audience_kind]", "list")
    page.select_option("[name=frequency]", "weekly")
    page.fill("[name=time]", "09:00")
    page.fill("[name=start_date]", "2031-01-06")
    preview = page.locator("#campaign-preview")
    expect(preview).to_contain_text("the sale begins today", timeout=20_000)
    expect(preview.locator("ol li")).to_have_count(10, timeout=20_000)
    picture(page, "composer")
    page.click("#service-form button[type=submit]")

    expect(page.locator("#campaign-state")).to_contain_text("It has not run yet")
    picture(page, "before")
    page.goto(f"{page.url.split('/change/')[0]}/launch/")
    expect(page.locator("#campaign-plan")).to_contain_text("40")
    picture(page, "plan")
    page.click("#service-form button[type=submit]")

    state = page.locator("#campaign-state")
    expect(state).to_contain_text("Recipients and what became of them", timeout=60_000)
    # Renewed by itself: 40 messages, all of them final.
    expect(state.locator("dd").nth(0)).to_have_text("40", timeout=60_000)
    expect(state.locator("dd").nth(1)).to_have_text("0", timeout=120_000)
    expect(page.locator(".gr-chart polyline")).to_have_count(4, timeout=60_000)
    picture(page, "progress")
    page.click("text=Recipients and what became of them")
    expect(page.locator("#campaign-results tbody tr")).to_have_count(40)
    picture(page, "results")
