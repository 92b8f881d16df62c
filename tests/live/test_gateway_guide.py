"""docs/api-gateway.md, "Connect a customer in ten minutes": every line of it runs, in its order."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

PAGE = (Path(__file__).parents[2] / "docs" / "api-gateway.md").read_text(encoding="utf-8")


@pytest.fixture
def vendor_site() -> Iterator[tuple[str, list[Any]]]:
    """Where the guide says example.com: (address, the events that were posted there)."""
    events: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            events.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            return None

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", events
    server.shutdown()
    thread.join()
    server.server_close()


def commands() -> list[str]:
    """The guide's curl lines, in their order."""
    guide = PAGE.split("## Connect a customer in ten minutes")[1].split("\n## ")[0]
    blocks = [block for language, block in re.findall(r"```(\w*)\n(.*?)```", guide, re.DOTALL) if not language]
    return [line for block in blocks for line in re.split(r"(?m)^(?=curl|export)", block) if line.startswith("curl")]


def run(command: str, **environment: str) -> Any:
    done = subprocess.run(
        ["sh", "-c", command.replace("curl ", "curl -sS ", 1)],
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    answer = json.loads(done.stdout)
    assert answer["success"] is True, (command, answer)
    return answer


@pytest.mark.timeout(240)
def test_the_guide_leads_from_an_account_to_verified_messages(
    live_stack: Any, vendor_site: tuple[str, list[Any]]
) -> None:
    site, events = vendor_site
    register, customer, link, send, received, webhook, probe = commands()
    base = {"BASE_URL": live_stack.base_url}
    key = run(register.replace("dev@example.com", f"dev{time.time_ns()}@example.com"), **base)["apiKey"]
    base["API_KEY"] = key
    customer_id = run(customer, **base)["customer"]["id"]
    setup = run(link.replace("<id>", customer_id).replace("https://example.com", site), **base)["setupLink"]
    endpoint = run(webhook.replace("https://example.com", site), **base)["webhook"]["id"]
    assert run(probe.replace("<id>", endpoint), **base)["statusCode"] == 200
    events.clear()

    # The customer's part: the page, the dialog, the page again.
    page = f"{live_stack.base_url}{urlsplit(setup['url']).path}"
    assert requests.get(page, timeout=20).status_code == 200
    number = {"name": "DentalCare", "numbers": [f"+1 555 {time.time_ns() % 10_000_000:07}"]}
    dialog = requests.post(f"{live_stack.sandbox_url}/dialog/signup", json=number, timeout=20).json()
    done = requests.post(
        f"{page}/connect",
        json={
            "network": "WHATSAPP",
            "code": dialog["code"],
            "accountId": dialog["waba_id"],
            "externalId": dialog["phone_number_id"],
        },
        timeout=60,
    ).json()["state"]
    assert (done["isDone"], done["error"]) == (True, "")
    assert done["redirect"].startswith(f"{site}/connected?")
    scope: dict[str, Any] = {}
    exec(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0], scope)  # noqa: S102  the guide's own code
    result = dict(parse_qsl(urlsplit(done["redirect"]).query))
    assert scope["is_genuine"](result, setup["signingSecret"])
    assert not scope["is_genuine"](result | {"channelId": "another"}, setup["signingSecret"])

    # Messages in both directions, each told to the webhook with the customer's id.
    sent = run(send.replace("<id>", result["channelId"]), **base)["messageId"]
    reply = {"phone_number_id": dialog["phone_number_id"], "text": "Gracias"}
    requests.post(f"{live_stack.sandbox_url}/_control/phones/5215512345678/reply", json=reply, timeout=20)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not (
        any(event["event"] == "message.received" for event in events)
        and any(event["event"] == "message.status" and event["message"]["status"] == "read" for event in events)
    ):
        time.sleep(0.2)
    assert {event["customerId"] for event in events} == {customer_id}
    statuses = [event["message"]["status"] for event in events if event["event"] == "message.status"]
    assert statuses == ["sent", "delivered", "read"]
    assert {event["message"]["id"] for event in events if event["event"] == "message.status"} == {sent}
    (row,) = run(received.replace("<id>", result["channelId"]), **base)["messages"]
    assert (row["text"], row["contact"]) == ("Gracias", "5215512345678")


@pytest.mark.timeout(240)
def test_a_picture_that_a_customer_sends_reaches_the_vendor(
    live_stack: Any, vendor_site: tuple[str, list[Any]]
) -> None:
    site, events = vendor_site
    given = live_stack.demo["gateway"]
    root, headers = f"{live_stack.base_url}/v1", {"Authorization": f"Bearer {given['api_key']}"}
    hook = {"url": f"{site}/events", "events": ["message.received"]}
    assert requests.post(f"{root}/webhooks", json=hook, headers=headers, timeout=20).status_code == 201
    channels = requests.get(f"{root}/auth/channels", headers=headers, timeout=20).json()["channels"]
    (number,) = [row["phoneId"] for row in channels if row["id"] == given["channel_id"]]
    picture = b"\x89PNG\r\n\x1a\n" + bytes(60)
    media = {"type": "image", "mime_type": "image/png", "caption": "Broken", "data": b64encode(picture).decode()}
    reply = {"phone_number_id": number, "media": media}
    person = f"52155{time.time_ns() % 100_000_000:08}"
    requests.post(f"{live_stack.sandbox_url}/_control/phones/{person}/reply", json=reply, timeout=20).raise_for_status()

    def told() -> Any:
        return next((event["message"] for event in list(events) if event["contact"]["id"] == person), None)

    (file,) = eventually(told)["files"]
    assert (file["type"], told()["text"]) == ("image", "Broken")
    assert requests.get(file["url"], timeout=20).status_code == 401

    def stored() -> Any:
        shown = requests.get(file["url"], headers=headers, timeout=20).json()["file"]
        return shown if shown["state"] == "stored" else None

    shown = eventually(stored)
    assert (shown["mimeType"], shown["size"]) == ("image/png", len(picture))
    assert requests.get(shown["url"], timeout=20).content == picture


def eventually(find: Any, seconds: float = 30.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = find()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError("it did not happen in time")
