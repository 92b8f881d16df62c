"""The page in a real browser: live messages, escaped text, a tap, and writing first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.conftest import NUMBER, PHONE, Graph, sample
from tests.sandbox.receiver import Receiver, eventually

CHROMIUM = Path("/usr/bin/chromium")


@pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
def test_a_person_reads_taps_and_writes_first(graph: Graph, sandbox: Any, receiver: Receiver) -> None:
    from playwright.sync_api import expect, sync_playwright

    problems: list[str] = []
    graph.accepted(text={"body": "<img src=x onerror=alert(1)> *bold*"})
    graph.call("POST", f"{NUMBER}/messages", sample("wa_request/interactive_buttons"))
    with sync_playwright() as play:
        flags = ["--no-sandbox", "--disable-background-networking"]
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=flags)
        page = browser.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: problems.append(dialog.message))
        page.goto(f"{sandbox.url}/#15550140071")
        expect(page.locator(".bubble .body").first).to_have_text("<img src=x onerror=alert(1)> bold")
        expect(page.locator('.ticks[data-status="read"]')).to_have_count(2)
        page.get_by_role("button", name="Yes", exact=True).click()
        expect(page.locator(".message.mine .body")).to_have_text(["Yes"])
        graph.accepted(text={"body": "Live"})
        expect(page.locator(".message")).to_have_count(4)
        page.click("#new")
        page.fill("#startPhone", "+49 170 1234500")
        page.fill("#startText", "Good day")
        page.click("#startForm .primary")
        expect(page.locator(".message.mine .body")).to_have_text(["Good day"])
        browser.close()
    assert problems == []
    received = eventually(lambda: len(receiver.messages()) == 2 and receiver.messages())
    assert [message["type"] for message in received] == ["interactive", "text"]
    assert (received[0]["from"], received[1]["from"]) == (PHONE.lstrip("+"), "491701234500")
