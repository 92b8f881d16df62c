"""Signatures: the published vector, read by an independent implementation, and forgeries."""

from __future__ import annotations

import base64
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from webhooks_app.signing import body_signature, signed_headers, standard_signature

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")


def vector() -> dict[str, str]:
    return dict(
        re.findall(r"^\| `?([\w-]+)`? \| `(.+)` \|$", PAGE.split("### Test vector")[1].split("### Verify")[0], re.M)
    )


def published_function() -> Any:
    """`is_genuine` as the page prints it."""
    names: dict[str, Any] = {}
    exec(re.search(r"```python\n(.*?)```", PAGE, re.S)[1], names)  # type: ignore[index]  # noqa: S102
    return names["is_genuine"]


def test_the_published_vector_is_what_we_send_and_what_others_read():
    found = vector()
    body, timestamp = found["body"].encode(), int(found["timestamp"])
    assert standard_signature(found["secret"], found["id"], timestamp, body) == found["webhook-signature"]
    assert body_signature(found["secret"], body) == found["x-webhook-signature"]
    headers = {
        "webhook-id": found["id"],
        "webhook-timestamp": found["timestamp"],
        "webhook-signature": found["webhook-signature"],
    }
    with time_machine.travel(datetime.fromtimestamp(timestamp, UTC), tick=False):
        assert Webhook(found["secret"]).verify(body, headers)["event"] == "message.received"
        assert published_function()(found["secret"], headers, body) is True


@pytest.mark.parametrize("secret", ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "my_secure_secret_key"])
def test_readers_accept_what_is_genuine_and_nothing_else(secret):
    body = b'{"event":"message.received"}'
    headers = signed_headers(
        secrets_valid=[secret], message_id="1", timestamp=int(time.time()), event="message.received", body=body
    )
    reader = Webhook(secret if secret.startswith("whsec_") else base64.b64encode(secret.encode()).decode())
    assert reader.verify(body, headers) == {"event": "message.received"}
    assert published_function()(secret, headers, body) is True
    forged = [
        (body + b" ", headers),
        (body, headers | {"webhook-id": "2"}),
        (body, headers | {"webhook-timestamp": str(int(time.time()) + 1)}),
        (body, headers | {"webhook-signature": "v1," + "A" * 43 + "="}),
    ]
    for wrong, given in forged:
        with pytest.raises(WebhookVerificationError):
            reader.verify(wrong, given)
        assert published_function()(secret, given, wrong) is False


def test_a_recorded_request_is_too_old_after_five_minutes():
    headers = signed_headers(
        secrets_valid=["my_secure_secret_key"], message_id="1", timestamp=int(time.time()) - 301, event="x", body=b"{}"
    )
    assert published_function()("my_secure_secret_key", headers, b"{}") is False
