"""A vendor's customer opens a setup link, connects a channel in the simulated dialog, and messages go both ways."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from messaging.services.setup_links import result_sign

PHONE = "5215512349001"


class Vendor:
    """Calls of the gateway API over HTTP."""

    def __init__(self, base_url: str, key: str) -> None:
        self.base_url, self.key = base_url, key

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            f"{self.base_url}/v1{path}",
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=15) as answer:
            return json.load(answer)


def click_last(window: Any, button: str) -> None:
    """Click what closes the window. The window may be gone before the browser has said that it clicked."""
    from playwright.sync_api import Error

    with window.expect_event("close"), suppress(Error):
        window.get_by_role("button", name=button).click()


def eventually(find: Any, seconds: float = 20.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = find()
        if found:
            return found
        time.sleep(0.3)
    raise AssertionError("it did not happen in time")


@pytest.fixture
def vendors_site() -> Any:
    """The address that the customer comes back to; it remembers what was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/connected"):
                asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<h1>Back at the vendor</h1>")

        def log_message(self, *_arguments: Any) -> None:
            return None

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/connected", asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.browser
@pytest.mark.timeout(240)
def test_from_the_setup_link_to_messages_in_both_directions(
    live_stack: Any, browser_page: Any, vendors_site: Any, tmp_path: Path
) -> None:
    page, (back, asked) = browser_page, vendors_site
    vendor = Vendor(live_stack.base_url, live_stack.demo["gateway"]["api_key"])
    customer = vendor.call("POST", "/customers", {"name": "DentalCare"})["customer"]
    link = vendor.call("POST", "/setup-links", {"customerId": customer["id"], "redirectUrl": back})["setupLink"]

    # A phone's screen: nothing may stick out.
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(link["url"])
    assert page.evaluate("document.documentElement.scrollWidth <= 360")
    page.screenshot(path=tmp_path / "setup-phone.png")
    page.set_viewport_size({"width": 1100, "height": 800})
    page.get_by_role("link", name="français").click()
    assert page.locator("html").get_attribute("lang") == "fr"
    page.get_by_role("link", name="English").click()

    # The person closes the dialog first, then goes through with it, with two numbers to choose from.
    with page.expect_popup() as opened:
        page.get_by_role("button", name="Connect WhatsApp").click()
    click_last(opened.value, "Cancel")
    page.locator("#problem", has_text="closed the window").wait_for()
    page.screenshot(path=tmp_path / "setup-cancelled.png")
    with page.expect_popup() as opened:
        page.get_by_role("button", name="Connect WhatsApp").click()
    dialog = opened.value
    dialog.fill("#name", "DentalCare")
    dialog.fill("#number", "+1 555 014 3300")
    dialog.fill("#second", "+1 555 014 3301")
    dialog.screenshot(path=tmp_path / "dialog.png")
    click_last(dialog, "Finish")
    page.get_by_label("DentalCare (+15550143301)").check()
    page.screenshot(path=tmp_path / "setup-choice.png")
    page.get_by_role("button", name="Use this number").click()

    # Back at the vendor with a result that can be verified.
    page.get_by_text("Back at the vendor").wait_for()
    result = dict(parse_qsl(urlsplit(asked[0]).query))
    assert result.pop("signature") == result_sign(result, link["signingSecret"])
    assert (result["status"], result["customerId"]) == ("connected", customer["id"])
    shown = [row for row in vendor.call("GET", "/auth/channels")["channels"] if row["customerId"] == customer["id"]]
    assert [(row["id"], row["phoneNumber"], row["status"]) for row in shown] == [
        (result["channelId"], "15550143301", "connected")
    ]

    # It sends, and what the person answers arrives.
    body = {"channelId": result["channelId"], "channelType": "WHATSAPP", "to": PHONE, "type": "text", "text": "Welcome"}
    sent = vendor.call("POST", "/messages", body)
    path = f"/messages?channelId={result['channelId']}"
    eventually(
        lambda: [
            row
            for row in vendor.call("GET", path)["messages"]
            if row["id"] == sent["messageId"] and row["status"] == "read"
        ]
    )
    page.goto(f"{live_stack.sandbox_url}/#{PHONE}")
    page.get_by_text("Welcome").first.wait_for()
    page.fill("#text", "Thank you")
    page.press("#text", "Enter")
    (received,) = eventually(
        lambda: [
            row for row in vendor.call("GET", f"{path}&direction=INBOUND")["messages"] if row["text"] == "Thank you"
        ]
    )
    assert (received["customerId"], received["contact"]) == (customer["id"], PHONE)

    # The link is used up.
    page.goto(link["url"])
    assert re.search(r"Connected|closed", page.locator("main").inner_text())
    page.screenshot(path=tmp_path / "setup-done.png")


@pytest.mark.browser
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("network", "button", "label"),
    [("FACEBOOK", "Messenger", "Laboratory A"), ("INSTAGRAM", "Instagram", "laboratory_b")],
)
def test_a_page_is_chosen_connected_and_talked_to(
    live_stack: Any, browser_page: Any, vendors_site: Any, tmp_path: Path, network: str, button: str, label: str
) -> None:
    page, (back, asked) = browser_page, vendors_site
    vendor = Vendor(live_stack.base_url, live_stack.demo["gateway"]["api_key"])
    customer = vendor.call("POST", "/customers", {"name": "DentalCare"})["customer"]
    link = vendor.call("POST", "/setup-links", {"customerId": customer["id"], "redirectUrl": back})["setupLink"]
    person = {"FACEBOOK": "24581177336690115", "INSTAGRAM": "24581177336690215"}[network]

    # At first the person allows nothing that can be connected, or closes the dialog.
    page.goto(link["url"])
    page.screenshot(path=tmp_path / "setup-networks.png")
    with page.expect_popup() as opened:
        page.get_by_role("button", name=f"Connect {button}").click()
    click_last(opened.value, "Cancel")
    page.locator("#problem", has_text="closed the window").wait_for()
    with page.expect_popup() as opened:
        page.get_by_role("button", name=f"Connect {button}").click()
    dialog = opened.value
    # The sandbox keeps the pages of every run of this test: what is chosen has a name of its own.
    dialog.fill("#page2", label if network == "FACEBOOK" else "Laboratory B")
    dialog.fill("#instagram2", label if network == "INSTAGRAM" else "laboratory_a")
    dialog.screenshot(path=tmp_path / "dialog-pages.png")
    click_last(dialog, "Finish")
    page.get_by_label(label).check()
    page.screenshot(path=tmp_path / "setup-pages-choice.png")
    page.get_by_role("button", name="Use this one").click()
    page.get_by_text("Back at the vendor").wait_for()
    result = dict(parse_qsl(urlsplit(asked[0]).query))
    assert result.pop("signature") == result_sign(result, link["signingSecret"])
    (shown,) = [row for row in vendor.call("GET", "/auth/channels")["channels"] if row["customerId"] == customer["id"]]
    assert (shown["id"], shown["type"], shown["name"], shown["status"]) == (
        *(result["channelId"], network, label),
        "connected",
    )

    # Here the person must write first; then the vendor answers.
    page.goto(live_stack.sandbox_url)
    page.locator("#new").click()
    page.fill("#startPhone", person)
    page.fill("#startName", "Ada Lovelace")
    page.locator("#startBusiness").select_option(label=f"{label} ({button})")
    page.fill("#startText", "Are you open today?")
    page.get_by_role("button", name="Send").last.click()
    path = f"/messages?channelId={result['channelId']}"
    (received,) = eventually(lambda: vendor.call("GET", f"{path}&direction=INBOUND")["messages"])
    assert (received["text"], received["contact"], received["customerId"]) == (
        *("Are you open today?", person),
        customer["id"],
    )
    body = {
        "channelId": result["channelId"],
        "channelType": network,
        "to": person,
        "type": "text",
        "text": "Until six",
    }
    sent = vendor.call("POST", "/messages", body)
    eventually(
        lambda: [
            row
            for row in vendor.call("GET", path)["messages"]
            if row["id"] == sent["messageId"] and row["status"] == "read"
        ]
    )
    page.get_by_text("Until six").first.wait_for()
    page.screenshot(path=tmp_path / "phones.png")
