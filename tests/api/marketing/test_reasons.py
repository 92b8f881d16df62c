"""Every reason that people read goes through the catalogues, so that a French answer has no English in it."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import translation

from contacts.models import ImportProblem
from contacts.services.import_runs import import_run
from contacts.services.imports import import_create, import_start
from messaging.models import Message
from tests.api.marketing.caller import Marketer

pytestmark = pytest.mark.usefixtures("unlimited")
CONTACT = {"name": "Alice", "phone": "+24162000000"}
CAMPAIGN = {"name": "Sale", "message_content": "Hello"}
HOOK = {"name": "H", "url": "http://127.0.0.1:9/x", "events": ["message.sent"]}
VARIANT = {"variant_name": "A", "message": "a", "percentage": 50}
DAILY = {"frequency": "daily", "time": "09:00", "start_date": "2098-01-01"}


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A language in which every translated text is marked: what comes without a mark was never translated."""
    monkeypatch.setattr(translation._trans, "gettext", lambda text: f"«{text}»" if text else text)
    monkeypatch.setattr(translation._trans, "ngettext", lambda one, many, count: f"«{one if count == 1 else many}»")


REQUESTS = [
    ("POST", "/auth/register", {"name": "J", "email": "a@", "password": "x1", "password_confirmation": "x1"}),
    ("POST", "/auth/register", {"name": "J", "email": "a@b.test", "password": "12345678", "country": "ZZ"}),
    ("POST", "/auth/login", {"email": "nobody@people.test", "password": "x"}),
    ("POST", "/contacts", CONTACT | {"tags": ["x" * 90], "language": "xx yy", "timezone": "Mars", "email": "x"}),
    ("POST", "/contacts", CONTACT | {"phone": "123"}),
    ("POST", "/contacts", CONTACT | {"phone": "+999123456789"}),
    ("POST", "/contacts", CONTACT | {"custom_fields": {"Bad Key": 1}}),
    ("POST", "/contacts", CONTACT | {"custom_fields": {"company": "x" * 5000}}),
    ("POST", "/contact-groups", {"name": "x" * 90}),
    ("GET", "/contacts?page=9999&per_page=1000", None),
    ("GET", "/messages/history?page=9999&per_page=1000", None),
    ("POST", "/messages/send", {"recipients": ["+24162000001"], "message": "Hi {foo}"}),
    ("POST", "/messages/send", {"recipients": ["+24162000001"], "message": "Hi", "channel_id": 99_999}),
    ("POST", "/templates", {"name": "T", "content": "{foo}"}),
    ("POST", "/campaigns", CAMPAIGN | {"message_content": "{foo}"}),
    ("POST", "/campaigns", CAMPAIGN | {"timezone": "Mars/Olympus"}),
    ("POST", "/campaigns", CAMPAIGN | {"group_ids": [99_999]}),
    ("POST", "/campaigns", CAMPAIGN | {"contact_ids": [99_999]}),
    ("POST", "/campaigns", CAMPAIGN | {"segment_id": 99_999}),
    ("POST", "/campaigns", CAMPAIGN | {"channel_id": 99_999}),
    ("POST", "/campaigns", CAMPAIGN | {"scheduled_at": "2020-01-01T09:00:00Z"}),
    ("POST", "/campaigns/{campaign}/send", {}),
    ("POST", "/campaigns/{campaign}/resume", {}),
    ("POST", "/campaigns/{campaign}/retry", {}),
    ("POST", "/campaigns/{campaign}/schedule", DAILY | {"end_date": "2097-01-01"}),
    ("POST", "/campaigns/{campaign}/schedule", DAILY | {"start_date": "2020-01-01", "end_date": "2020-02-01"}),
    ("POST", "/campaigns/{campaign}/schedule", DAILY | {"timezone": "Mars/Olympus"}),
    ("POST", "/campaigns/{campaign}/variants", {"variants": [VARIANT, VARIANT]}),
    ("POST", "/campaigns/{campaign}/variants", {"variants": [VARIANT, VARIANT | {"percentage": 40}]}),
    ("POST", "/campaigns/{campaign}/variants", {"variants": [VARIANT, VARIANT | {"message": "{foo}"}]}),
    ("POST", "/sub-accounts", {"name": "A", "email": "a b", "password": "x1", "role": "sender"}),
    ("POST", "/sub-accounts", {"name": "A", "email": "a@b.test", "password": "secure123", "role": "king"}),
    ("POST", "/webhooks", HOOK | {"url": "http://10.0.0.1/x"}),
    ("POST", "/webhooks", HOOK | {"url": "http://no-such-host.invalid/x"}),
    ("POST", "/webhooks", HOOK | {"events": ["moon.landed"]}),
    ("POST", "/webhooks", HOOK | {"secret": "short"}),
    ("POST", "/blacklist", {"phone_number": "12"}),
    ("GET", "/messages/export?format=pdf", None),
    ("GET", "/nothing", None),
]


def unmarked(document: Any) -> list[str]:
    """The texts of an error answer that no catalogue was asked for; names of fields stand in front of some."""
    texts = [document["message"], *(text for texts in document.get("errors", {}).values() for text in texts)]
    return [text for text in texts if "«" not in text]


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS)
def test_every_text_of_a_refusal_is_translated(
    marketer: Marketer, channel: Any, marked: None, method: str, path: str, body: Any
) -> None:
    campaign = marketer.post("/campaigns", CAMPAIGN).json()["data"]["id"]
    address, _, query = path.format(campaign=campaign).partition("?")
    asked = dict(pair.split("=") for pair in query.split("&")) if query else {}
    refused = marketer.call(method, address, body, **asked)
    assert 400 <= refused.status_code < 500, refused.content
    assert unmarked(refused.json()) == []


def test_what_is_wrong_in_a_file_and_with_a_recipient_is_translated(
    marketer: Marketer, channel: Any, marked: None
) -> None:
    def upload(text: str, **more: str) -> Any:
        return Client().post(
            "/api/contacts/import",
            {"file": SimpleUploadedFile("c.csv", text.encode())} | more,
            headers={"Authorization": f"Bearer {marketer.token}"},
        )

    done = upload("name,email,phone,status\nA,bad,+24162000001,active\nB,,12,sleepy\n").json()
    assert [entry["row"] for entry in done["data"]["errors"]] == [2, 3]
    assert all("«" in entry["message"] for entry in done["data"]["errors"])
    for refused in (upload("one,two\n1,2\n"), upload(""), upload("\x00\x01\x02" * 50)):
        assert (refused.status_code, set(refused.json()["errors"])) == (422, {"file"})
        assert unmarked(refused.json()) == []
    for field in ("encoding", "delimiter", "duplicates", "country"):
        refused = upload("phone\n+24162000001\n", **{field: "QQQ"})
        assert (set(refused.json()["errors"]), unmarked(refused.json())) == ({field}, [])
    marketer.post("/blacklist", {"phone_number": "+24162000009"})
    sent = marketer.post("/messages/send", {"recipients": ["12", "+24162000009"], "message": "Hi"}).json()["data"]
    assert [failure["code"] for failure in sent["failures"]] == ["invalid_phone", "suppressed"]
    assert all("«" in failure["error"] for failure in sent["failures"])


def test_reasons_that_were_kept_in_english_are_translated_when_they_are_shown(
    marketer: Marketer, channel: Any, marked: None
) -> None:
    number = marketer.post("/messages/send", {"recipients": ["+24162000001"], "message": "x"}).json()["data"]
    Message.objects.filter(pk=number["message_ids"][0]).update(status="failed", error_reason="No such number.")
    assert marketer.get(f"/messages/{number['message_ids'][0]}").json()["data"]["error"] == "«No such number.»"


def test_a_worker_writes_reasons_in_the_language_of_who_started_the_import(
    in_schema: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(translation._trans, "gettext", lambda text: f"{translation.get_language()}|{text}")
    with translation.override("es"):
        source = BytesIO(b"name,email,phone\nAda,nobody,+24162000001\n")
        found = import_create(organization=in_schema, source=source, filename="c.csv")
        import_start(organization=in_schema, import_id=found.pk)
    with translation.override("en"):
        import_run(organization=in_schema, import_id=found.pk)
    assert ImportProblem.objects.get().reason == "es|is not an e-mail address"
