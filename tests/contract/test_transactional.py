"""The transactional API keeps what its document promises: paths, fields, types, statuses; ours and live answers."""

from __future__ import annotations

from typing import Any

import pytest
from drf_spectacular.validation import validate_schema

from api.transactional.errors import PROBLEMS
from config.openapi import surface_schema
from messaging.models import Message
from tenants.services.keys import SCOPES, api_key_create
from tests.api.transactional.caller import Caller
from tests.contract.documents import check, differences, document, resolved

NAME = "reachflow.openapi.json"


@pytest.fixture
def promise() -> dict[str, Any]:
    return document(NAME)


@pytest.fixture
def ours() -> dict[str, Any]:
    return surface_schema("transactional")


def operations(whole: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(method, path): item for path, methods in whole["paths"].items() for method, item in methods.items()}


def test_our_document_is_valid_openapi(ours):
    validate_schema(ours)


def test_the_paths_methods_and_operation_ids_are_the_promised_ones(promise, ours):
    names = {key: item["operationId"] for key, item in operations(promise).items()}
    assert {key: item["operationId"] for key, item in operations(ours).items()} == names
    assert len(names) == 8
    assert ours["servers"][0]["url"] == promise["servers"][0]["url"]


def test_every_operation_needs_the_promised_header_and_scope(promise, ours):
    scheme = ours["components"]["securitySchemes"]["ApiKey"]
    assert {name: scheme[name] for name in ("type", "in", "name")} == {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
    }
    for key, item in operations(promise).items():
        assert operations(ours)[key]["security"] == item["security"] == [{"ApiKey": []}]
        assert operations(ours)[key]["x-scope"] == item["x-reachflow-scope"]


def test_request_bodies_take_what_is_promised_and_require_no_more(promise, ours):
    for key, item in operations(promise).items():
        mine = operations(ours)[key]
        assert ("requestBody" in item) == ("requestBody" in mine), key
        if "requestBody" in item:
            wanted = item["requestBody"]["content"]["application/json"]["schema"]
            given = mine["requestBody"]["content"]["application/json"]["schema"]
            assert differences(wanted, given, promise, ours) == [], key
            assert sorted(resolved(given, ours)["required"]) == sorted(resolved(wanted, promise)["required"])
            assert set(resolved(given, ours)["properties"]) == set(resolved(wanted, promise)["properties"])


def test_answers_have_the_promised_status_and_fields(promise, ours):
    for key, item in operations(promise).items():
        mine = operations(ours)[key]["responses"]
        for status, answer in item["responses"].items():
            wanted = answer["content"]["application/json"]["schema"]
            given = mine[status]["content"]["application/json"]["schema"]
            assert differences(wanted, given, promise, ours) == [], key
        assert [status for status in mine if status < "400"] == list(item["responses"]), key


def test_path_parameters_and_the_idempotency_header_are_there(promise, ours):
    for key, item in operations(promise).items():
        mine = {(one["in"], one["name"].lower()): one for one in operations(ours)[key].get("parameters", [])}
        for parameter in item.get("parameters", []):
            given = mine[parameter["in"], parameter["name"].lower()]
            assert given.get("required", False) == parameter["required"]
            assert differences(parameter["schema"], given["schema"], promise, ours) == []
    sends = ("/messages/send", "/messages/send-media", "/messages/send-bulk", "/otp/send")
    for path in sends:
        assert "Idempotency-Key" in [one["name"] for one in operations(ours)["post", path]["parameters"]]


def test_every_operation_has_a_summary_errors_and_its_body_an_example_that_fits(ours):
    for key, item in operations(ours).items():
        assert item["summary"] and item["description"], key
        assert {"401", "403", "429"} <= set(item["responses"]), key
        for body in [item.get("requestBody"), *item["responses"].values()]:
            for content in (body or {}).get("content", {}).values():
                for example in content.get("examples", {}).values():
                    check(example["value"], content["schema"], ours)
        if "requestBody" in item:
            assert item["requestBody"]["content"]["application/json"]["examples"], key


def test_every_problem_that_an_operation_announces_is_in_the_table(ours):
    for item in operations(ours).values():
        for status, answer in item["responses"].items():
            for content in answer.get("content", {}).values():
                for example in content.get("examples", {}).values():
                    if status >= "400":
                        assert PROBLEMS[example["value"]["code"]] == (int(status), example["value"]["title"])


@pytest.fixture
def live(in_schema, channel):
    """One live answer of each operation: (method, path template) -> response."""
    caller = Caller(api_key_create(organization=in_schema, name="k", mode="live", scopes=SCOPES["transactional"])[1])
    provider = str(channel.uuid)
    single = {"providerId": provider, "to": "22996123456"}
    answers = {
        ("get", "/providers"): caller.get("/providers"),
        ("get", "/providers/{id}"): caller.get(f"/providers/{provider}"),
        ("post", "/messages/send"): caller.post("/messages/send", single | {"message": "x"}),
        ("post", "/messages/send-media"): caller.post(
            "/messages/send-media", single | {"mediaUrl": "https://example.com/a.jpg", "mediaType": "image"}
        ),
        ("post", "/messages/send-bulk"): caller.post(
            "/messages/send-bulk",
            {"providerId": provider, "messageTemplate": "x", "recipients": [{"to": "22996123456"}, {"to": "1"}]},
        ),
        ("post", "/otp/send"): caller.post("/otp/send", {"providerId": provider, "phoneNumber": "22996123456"}),
    }
    otp_id = answers["post", "/otp/send"].json()["otpId"]
    answers["post", "/otp/verify"] = caller.post("/otp/verify", {"otpId": otp_id, "code": "x"})
    answers["get", "/messages/{id}"] = caller.get(f"/messages/{Message.objects.first().uuid}")
    return answers


def test_live_answers_fit_the_promised_and_our_document(live, promise, ours):
    assert set(live) == set(operations(promise))
    for key, response in live.items():
        (status,) = operations(promise)[key]["responses"]
        assert str(response.status_code) == status, (key, response.content)
        for whole in (promise, ours):
            schema = operations(whole)[key]["responses"][status]["content"]["application/json"]["schema"]
            check(response.json(), schema, whole)
        promised = resolved(
            operations(promise)[key]["responses"][status]["content"]["application/json"]["schema"], promise
        )
        assert set(response.json()) >= set(promised["properties"]) - {"reason", "attemptsLeft"}


def test_daily_stats_have_the_agreed_members(live):
    stats = live["get", "/providers/{id}"].json()["dailyStats"]
    assert set(stats) == {"date", "accepted", "sent", "delivered", "failed", "received", "limit", "remaining"}
    # Asked before anything was sent in this test.
    assert (stats["accepted"], stats["sent"], stats["received"]) == (0, 0, 0)


def test_refusals_fit_our_document(organization, ours):
    response = Caller(None).get("/providers")
    schema = operations(ours)["get", "/providers"]["responses"]["401"]["content"]["application/problem+json"]["schema"]
    check(response.json(), schema, ours)
