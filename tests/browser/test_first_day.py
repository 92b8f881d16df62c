"""The first day of a customer: log in, see a message, make a key, send with it, be answered."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from typing import Any

import pytest

PHONE = "22997334455"


def provider_of(base_url: str, key: str) -> str:
    """The demo's WhatsApp channel, as the key sees it."""
    providers = call(base_url, "GET", "/providers", key)["providers"]
    (found,) = [provider["id"] for provider in providers if provider["name"] == "Demo Shop on WhatsApp"]
    return str(found)


def call(base_url: str, method: str, path: str, key: str, body: dict[str, Any] | None = None) -> Any:
    request = urllib.request.Request(
        f"{base_url}/api/v1{path}",
        method=method,
        data=json.dumps(body).encode() if body is not None else None,
        headers={"X-API-Key": key, "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def reload_until(page: Any, text: str, seconds: float = 20.0) -> None:
    """Reload the list until one of its rows says `text`."""
    from playwright.sync_api import expect

    rows = page.locator("#result_list")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not (rows.count() and text in (rows.text_content() or "")):
        time.sleep(0.5)
        page.reload()
    expect(rows).to_contain_text(text)


@pytest.mark.browser
@pytest.mark.timeout(240)
def test_from_login_to_the_customers_answer(live_stack: Any, browser_page: Any) -> None:
    page, organization = browser_page, live_stack.demo["organization"]
    admin = organization["admin_url"].rstrip("/")

    # Log in and see a message with its status.
    page.goto(f"{admin}/")
    page.fill("[name=username]", organization["email"])
    page.fill("[name=password]", organization["password"])
    page.click("#login-form button[type=submit]")
    page.locator('#nav-sidebar a[href="/admin/messaging/message/"]').click()
    page.locator("#result_list tbody").first.wait_for()
    assert page.locator("#result_list td.field-status_label").first.inner_text().strip() != ""

    # Create a key: it is shown once.
    page.goto(f"{admin}/tenants/apikey/add/")
    page.fill("[name=name]", "Browser test")
    page.get_by_role("button", name="Create the key").click()
    key = page.locator("#api-key").inner_text()
    assert re.fullmatch(r"rf_test_[a-z0-9]{12}_\w{32,64}", key)
    page.get_by_role("link", name="I have copied it").click()
    assert key not in page.content()

    # Use it by HTTP and watch the message arrive.
    provider = provider_of(live_stack.base_url, key)
    sent = {"providerId": provider, "to": PHONE, "message": "Is Friday good for you?", "saveContact": True}
    call(live_stack.base_url, "POST", "/messages/send", key, sent)
    page.goto(f"{admin}/messaging/message/?q={PHONE}")
    reload_until(page, "Read")
    page.locator("#result_list th a, #result_list td a").first.click()
    assert page.locator("#message-text").inner_text() == "Is Friday good for you?"
    titles = page.locator(".gr-story strong").all_inner_texts()
    assert titles == ["Accepted", "Sent", "Delivered", "Read"]

    # Answer on the phone, and find the answer in the admin.
    page.goto(f"{live_stack.sandbox_url}/#{PHONE}")
    page.get_by_text("Is Friday good for you?").first.wait_for()
    page.fill("#text", "Friday is perfect.")
    page.press("#text", "Enter")
    page.goto(f"{admin}/messaging/message/?q={PHONE}")
    reload_until(page, "Friday is perfect.")
    assert "Received" in (page.locator("#result_list").text_content() or "")
