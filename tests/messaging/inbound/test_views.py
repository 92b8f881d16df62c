"""The addresses: who gets in, what is stored, how the address is verified."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.http import UnreadablePostError
from django.test import RequestFactory
from kombu.exceptions import OperationalError

from messaging.inbound import views
from messaging.inbound.signatures import signature_is_valid, signature_of
from tests.messaging.inbound.bodies import body, change, text

Make = Callable[..., Any]
SECRET = "the-platforms-app-secret"
VECTOR = Path(__file__).parents[3].parent / "shared" / "meta" / "samples" / "security" / "signature_vector.json"


@pytest.fixture(autouse=True)
def secrets(settings: Any) -> None:
    settings.META_APP_SECRET = SECRET
    settings.META_VERIFY_TOKEN = "the-verify-token"


@pytest.fixture
def enqueued(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Ids of events handed to the task."""
    ids: list[int] = []
    monkeypatch.setattr(views.process, "apply_async", lambda args, **_: ids.append(args[0]))
    return ids


def _events() -> list[Any]:
    from tenants.models import InboundEvent

    return list(InboundEvent.objects.order_by("id"))


def _post(client: Any, path: str, raw: bytes, signature: str | None, **extra: Any) -> Any:
    headers = {} if signature is None else {"X-Hub-Signature-256": signature}
    return client.post(path, data=raw, content_type="application/json", headers=headers, **extra)


def test_a_signed_body_is_stored_as_it_came_and_handed_to_a_task(live: Any, client: Any, enqueued: list[int]) -> None:
    raw = body(change(live[1].external_id, messages=[text("wamid.1", "é/🙂")]))
    answer = _post(client, "/webhook/meta", raw, signature_of(raw, SECRET))
    (event,) = _events()
    assert (answer.status_code, answer.json()) == (200, {"received": True})
    assert (bytes(event.body), event.status, event.organization_id) == (raw, "received", None)
    assert enqueued == [event.pk]


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "sha256=",
        "sha256=" + "0" * 64,
        signature_of(b"{}", "another secret"),
        signature_of(b"{} ", SECRET),
        signature_of(b"{}", SECRET).removeprefix("sha256="),
        signature_of(b"{}", SECRET).upper(),
        "sha1=" + "0" * 40,
        "sha256=é",
    ],
)
def test_a_forged_body_gets_401_and_nothing_is_stored(
    committed: Any, client: Any, enqueued: list[int], signature: str | None
) -> None:
    assert _post(client, "/webhook/meta", b"{}", signature).status_code == 401
    assert (_events(), enqueued) == ([], [])


def test_without_a_configured_secret_nothing_is_believed(committed: Any, client: Any, settings: Any) -> None:
    settings.META_APP_SECRET = ""
    assert _post(client, "/webhook/meta", b"{}", signature_of(b"{}", "")).status_code == 401
    assert _events() == []


def test_a_truncated_body_gets_401_and_nothing_is_stored(live: Any, client: Any, enqueued: list[int]) -> None:
    raw = body(change(live[1].external_id, messages=[text("wamid.1")]))
    assert _post(client, "/webhook/meta", raw[:-20], signature_of(raw, SECRET)).status_code == 401
    assert _events() == []


def test_a_body_of_three_megabytes_is_taken_and_one_byte_more_gets_413(
    committed: Any, client: Any, enqueued: list[int]
) -> None:
    limit = 3 * 1024 * 1024
    for size, expected in ((limit, 200), (limit + 1, 413)):
        raw = b'"' + b"a" * (size - 2) + b'"'
        assert _post(client, "/webhook/meta", raw, signature_of(raw, SECRET)).status_code == expected
    assert len(_events()) == 1


def test_a_body_that_lies_about_its_length_is_measured(committed: Any, enqueued: list[int]) -> None:
    raw = b"a" * (3 * 1024 * 1024 + 10)
    request = RequestFactory().post("/webhook/meta", data=raw, content_type="application/json")
    request.META["CONTENT_LENGTH"] = ""
    request._stream = BytesIO(raw)
    assert views.meta(request).status_code == 413


def test_a_broken_connection_stores_nothing(committed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    request = RequestFactory().post("/webhook/meta", data=b"{}", content_type="application/json")

    def broken(*_: Any) -> bytes:
        raise UnreadablePostError("the client went away")

    monkeypatch.setattr(request, "read", broken)
    assert views.meta(request).status_code == 413
    assert _events() == []


def test_with_the_broker_away_the_event_is_stored_and_answered(
    live: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: Any, **__: Any) -> None:
        raise OperationalError("no broker")

    monkeypatch.setattr(views.process, "apply_async", down)
    assert _post(client, "/webhook/meta", b"{}", signature_of(b"{}", SECRET)).status_code == 200
    assert [event.status for event in _events()] == ["received"]


def test_an_organisations_address_takes_the_platforms_secret_and_its_channels_own(
    live: Any, client: Any, make_channel: Make, enqueued: list[int]
) -> None:
    organization, _, other, _ = live
    make_channel(organization, secrets={"access_token": "x", "app_secret": "own-app"})
    path = f"/webhook/{organization.uuid}"
    assert _post(client, path, b"{}", signature_of(b"{}", SECRET)).status_code == 200
    assert _post(client, path, b"{}", signature_of(b"{}", "own-app")).status_code == 200
    assert [event.organization_id for event in _events()] == [organization.pk] * 2
    assert _post(client, f"/webhook/{other.uuid}", b"{}", signature_of(b"{}", "own-app")).status_code == 401
    assert _post(client, "/webhook/meta", b"{}", signature_of(b"{}", "own-app")).status_code == 401
    assert len(_events()) == 2


def test_a_number_with_its_own_app_takes_only_that_secret(
    live: Any, client: Any, make_channel: Make, enqueued: list[int]
) -> None:
    organization, channel, *_ = live
    own = make_channel(
        organization, secrets={"access_token": "x", "app_secret": "own-app", "verify_token": "own-token"}
    )
    for phone_id in (own.external_id, str(own.uuid)):
        path = f"/webhook/{organization.uuid}/phone/{phone_id}"
        assert _post(client, path, b"{}", signature_of(b"{}", SECRET)).status_code == 401
        assert _post(client, path, b"{}", signature_of(b"{}", "own-app")).status_code == 200
    plain = f"/webhook/{organization.uuid}/phone/{channel.external_id}"
    assert _post(client, plain, b"{}", signature_of(b"{}", SECRET)).status_code == 200
    assert _post(client, plain, b"{}", signature_of(b"{}", "own-app")).status_code == 401
    assert len(_events()) == 3


def test_unknown_addresses_are_404_for_everybody(live: Any, client: Any) -> None:
    organization, _, _, other_channel = live
    for path in (
        f"/webhook/{uuid.uuid4()}",
        f"/webhook/{organization.uuid}/phone/999",
        f"/webhook/{organization.uuid}/phone/{other_channel.external_id}",
    ):
        assert _post(client, path, b"{}", signature_of(b"{}", SECRET)).status_code == 404
        assert client.get(path, {"hub.mode": "subscribe"}).status_code == 404
    assert _events() == []


def test_the_challenge_comes_back_only_with_the_verify_token(live: Any, client: Any, make_channel: Make) -> None:
    organization, *_ = live
    own = make_channel(organization, secrets={"access_token": "x", "verify_token": "own-token"})
    phone = f"/webhook/{organization.uuid}/phone/{own.external_id}"

    def ask(path: str, token: str, mode: str = "subscribe") -> tuple[int, bytes]:
        query = {"hub.mode": mode, "hub.challenge": "1158201444", "hub.verify_token": token}
        answer = client.get(path, query)
        return answer.status_code, answer.content

    assert ask("/webhook/meta", "the-verify-token") == (200, b"1158201444")
    assert ask(f"/webhook/{organization.uuid}", "the-verify-token") == (200, b"1158201444")
    assert ask(f"/webhook/{organization.uuid}", "own-token") == (200, b"1158201444")
    assert ask(phone, "own-token") == (200, b"1158201444")
    assert ask(phone, "the-verify-token")[0] == 403
    assert ask("/webhook/meta", "own-token")[0] == 403
    assert ask("/webhook/meta", "")[0] == 403
    assert ask("/webhook/meta", "the-verify-token", "unsubscribe")[0] == 403


def test_an_empty_verify_token_verifies_nobody(committed: Any, client: Any, settings: Any) -> None:
    settings.META_VERIFY_TOKEN = ""
    query = {"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": ""}
    assert client.get("/webhook/meta", query).status_code == 403


def test_a_challenge_is_plain_text_never_a_page(committed: Any, client: Any) -> None:
    query = {"hub.mode": "subscribe", "hub.challenge": "<script>", "hub.verify_token": "the-verify-token"}
    answer = client.get("/webhook/meta", query)
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert client.get("/webhook/meta", query | {"hub.challenge": "1" * 300}).status_code == 403


def test_other_methods_are_refused(committed: Any, client: Any) -> None:
    assert client.put("/webhook/meta", data=b"{}", content_type="application/json").status_code == 405


@pytest.mark.skipif(not VECTOR.exists(), reason="the folder with Meta's samples is not here")
def test_the_signature_is_over_the_raw_bytes_not_over_their_meaning() -> None:
    vector = json.loads(VECTOR.read_text())
    raw = vector["raw_body_utf8"].encode()
    assert signature_of(raw, vector["app_secret"]) == vector["value"]
    written_again = json.dumps(json.loads(raw), separators=(",", ":")).encode()
    assert not signature_is_valid(written_again, vector["value"], [vector["app_secret"]])
