"""The gateway API keeps what its document promises: paths, fields, types, statuses; ours and live answers."""

from __future__ import annotations

from typing import Any

import pytest
from drf_spectacular.validation import validate_schema

from api.gateway.errors import PROBLEMS
from config.openapi import surface_schema
from tenants.services.keys import SCOPES, api_key_create
from tests.api.gateway.caller import Vendor
from tests.contract.documents import check, differences, document, resolved

NAME = "iaqui-gateway.openapi.json"
# The document has "media files" in its description of sending and not in the enum of `type`: more words are taken.
WIDER = {("post", "/messages"): ["type.enum"]}


@pytest.fixture
def promise() -> dict[str, Any]:
    return document(NAME)


@pytest.fixture
def ours() -> dict[str, Any]:
    return surface_schema("gateway")


def operations(whole: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(method, path): item for path, methods in whole["paths"].items() for method, item in methods.items()}


def kept(found: list[str], key: tuple[str, str]) -> list[str]:
    return [text for text in found if not any(text.startswith(start) for start in WIDER.get(key, []))]


def test_our_document_is_valid_openapi(ours: Any) -> None:
    validate_schema(ours)


def test_every_promised_operation_is_there(promise: Any, ours: Any) -> None:
    assert len(operations(promise)) == 17
    assert set(operations(promise)) - set(operations(ours)) == set()
    assert ours["servers"][0]["url"] == promise["servers"][0]["url"]


def test_keys_come_as_bearer_except_where_nobody_has_one(promise: Any, ours: Any) -> None:
    scheme = ours["components"]["securitySchemes"]["ApiKeyAuth"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    for key, item in operations(ours).items():
        if key == ("post", "/auth/register"):
            assert not item.get("security")
        else:
            assert item["security"] == [{"ApiKeyAuth": []}], key
            assert item["x-scope"] in SCOPES["gateway"], key


def test_request_bodies_take_what_is_promised_and_require_no_more(promise: Any, ours: Any) -> None:
    for key, item in operations(promise).items():
        if "requestBody" not in item:
            continue
        wanted = item["requestBody"]["content"]["application/json"]["schema"]
        given = operations(ours)[key]["requestBody"]["content"]["application/json"]["schema"]
        assert kept(differences(wanted, given, promise, ours), key) == [], key
        assert sorted(resolved(given, ours).get("required", [])) == sorted(wanted.get("required", [])), key


def test_parameters_are_the_promised_ones(promise: Any, ours: Any) -> None:
    for key, item in operations(promise).items():
        mine = {(one["in"], one["name"]): one for one in operations(ours)[key].get("parameters", [])}
        for parameter in item.get("parameters", []):
            given = mine[parameter["in"], parameter["name"]]
            assert given.get("required", False) == parameter.get("required", False), key
            assert differences(parameter["schema"], given["schema"], promise, ours) == [], key


def test_answers_have_the_promised_status_and_fields(promise: Any, ours: Any) -> None:
    for key, item in operations(promise).items():
        mine = operations(ours)[key]["responses"]
        for status, answer in item["responses"].items():
            assert status in mine, key
            for content in answer.get("content", {}).values():
                given = mine[status]["content"]["application/json"]["schema"]
                assert differences(content["schema"], given, promise, ours) == [], key


def test_every_operation_has_a_summary_errors_and_its_examples_fit(ours: Any) -> None:
    for key, item in operations(ours).items():
        assert item["summary"] and item["description"], key
        for body in [item.get("requestBody"), *item["responses"].values()]:
            for content in (body or {}).get("content", {}).values():
                for example in content.get("examples", {}).values():
                    check(example["value"], content["schema"], ours)
        for status, answer in item["responses"].items():
            for content in answer.get("content", {}).values():
                for example in content.get("examples", {}).values():
                    if status >= "400":
                        assert PROBLEMS[example["value"]["error"]["code"]][0] == int(status), key


def test_an_upload_is_described_as_a_form_too(ours: Any) -> None:
    content = operations(ours)["post", "/files"]["requestBody"]["content"]
    assert set(content) == {"application/json", "multipart/form-data"}
    form = resolved(content["multipart/form-data"]["schema"], ours)
    assert form["properties"]["file"]["format"] == "binary"
    assert (form["required"], form["properties"]["channelType"]["default"]) == (["file", "type"], "WHATSAPP")
    assert resolved(content["application/json"]["schema"], ours)["required"] == ["link", "type"]


def example_of(promise: Any, key: tuple[str, str]) -> dict[str, Any]:
    """The document's own example of a body: what a developer tries first."""
    schema = operations(promise)[key]["requestBody"]["content"]["application/json"]["schema"]
    return {name: part["example"] for name, part in schema["properties"].items() if "example" in part}


@pytest.fixture
def live(promise: Any, in_schema: Any, provider: Any) -> dict[tuple[str, str], Any]:
    """One live answer of each operation, with the document's own examples as far as they hold values."""
    key = api_key_create(organization=in_schema, name="k", surface="gateway", mode="live", scopes=SCOPES["gateway"])[1]
    vendor, answers = Vendor(key), {}

    def note(method: str, path: str, response: Any) -> Any:
        answers[method, path] = response
        return response

    channel = example_of(promise, ("post", "/auth/onboard/channel")) | {"systemUserAccessToken": "sandbox-x"}
    channel["id"] = "iq_chan_wa_soporte"
    note("post", "/auth/onboard/channel", vendor.post("/auth/onboard/channel", channel))
    note("post", "/auth/keys", vendor.post("/auth/keys", example_of(promise, ("post", "/auth/keys"))))
    for path in ("/auth/keys", "/auth/channels", "/customers", "/messages", "/templates", "/webhooks"):
        note("get", path, vendor.get(path))
    note("get", "/webhook-deliveries", vendor.get("/webhook-deliveries", status="SUCCESS"))
    customer = note("post", "/customers", vendor.post("/customers", example_of(promise, ("post", "/customers"))))
    link = example_of(promise, ("post", "/setup-links")) | {"customerId": customer.json()["customer"]["id"]}
    note("post", "/setup-links", vendor.post("/setup-links", link))
    note("post", "/messages", vendor.post("/messages", example_of(promise, ("post", "/messages"))))
    note("post", "/templates", vendor.post("/templates", example_of(promise, ("post", "/templates"))))
    deleted = vendor.delete("/templates/factura_disponible_cta", channelId="iq_chan_wa_soporte")
    note("delete", "/templates/{name}", deleted)
    hook = example_of(promise, ("post", "/webhooks")) | {"url": "http://127.0.0.1:9/events"}
    created = note("post", "/webhooks", vendor.post("/webhooks", hook))
    if created.status_code == 201:
        identifier = created.json()["webhook"]["id"]
        note("post", "/webhooks/{id}/test", vendor.post(f"/webhooks/{identifier}/test", {}))
    anybody = Vendor(None)
    note("post", "/auth/register", anybody.post("/auth/register", example_of(promise, ("post", "/auth/register"))))
    return answers


def test_live_answers_to_the_documents_own_examples_fit_it(live: Any, promise: Any, ours: Any) -> None:
    assert set(live) == set(operations(promise))
    for key, response in live.items():
        (status,) = operations(promise)[key]["responses"]
        assert str(response.status_code) == status, (key, response.content)
        for whole in (promise, ours):
            answer = operations(whole)[key]["responses"][status]
            for content in answer.get("content", {}).values():
                check(response.json(), content["schema"], whole)
                assert set(response.json()) >= set(resolved(content["schema"], whole)["properties"]), key
        assert response.json()["success"] is True, key


def test_refusals_fit_our_document(organization: Any, ours: Any) -> None:
    response = Vendor(None).get("/customers")
    schema = operations(ours)["get", "/customers"]["responses"]["401"]["content"]["application/json"]["schema"]
    check(response.json(), schema, ours)
