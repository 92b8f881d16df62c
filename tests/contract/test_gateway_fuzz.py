"""Bad input to the gateway API, by the published document and by ours: never a 5xx, never a write, always in form."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django_tenants.utils import tenant_context
from schemathesis import GenerationMode

from config.openapi import surface_schema
from messaging.models import Channel, Customer, Message, MessageTemplate, SetupLink
from tenants.models import ApiKey, Organization
from tenants.services.keys import SCOPES, api_key_create
from tests.api.gateway.caller import Vendor
from tests.contract.documents import check, document
from tests.contract.generated import answers_checked
from tests.contract.test_gateway import NAME, example_of, operations
from webhooks_app.models import Endpoint

EXAMPLES = 15
# One value of every wrong sort for a text, a number, a list and an object; texts that databases and parsers choke on.
ODD: list[Any] = [
    None,
    True,
    1.5,
    -1,
    10**30,
    "",
    "   ",
    "\x00",
    "🚀" * 3000,
    "x" * 200_000,
    "unheard-of",
    [],
    [[]],
    ["x"] * 5000,
    {},
    {"a": {"b": [None]}},
]


@pytest.fixture
def vendor(in_schema: Any, provider: Any, settings: Any) -> Vendor:
    settings.REGISTRATIONS_PER_HOUR = 100_000
    # Tokens that are not the sandbox's are asked about at Meta: the same server plays it, and refuses them.
    settings.META_GRAPH_URL = provider.url
    key = api_key_create(
        organization=in_schema,
        name="k",
        surface="gateway",
        mode="live",
        scopes=SCOPES["gateway"],
        rate_per_minute=1_000_000,
    )[1]
    return Vendor(key, raise_request_exception=False)


@pytest.fixture
def bodies(vendor: Vendor, channel: Any) -> dict[str, dict[str, Any]]:
    """A valid body of every POST, as far as that can be: the document's own examples on a channel that exists."""
    promise = document(NAME)
    customer = vendor.post("/customers", {"name": "DentalCare"}).json()["customer"]["id"]
    found = {path: example_of(promise, ("post", path)) for path in
             ("/auth/register", "/auth/keys", "/auth/onboard/channel", "/messages", "/customers", "/setup-links",
              "/templates", "/webhooks")}  # fmt: skip
    for path in ("/messages", "/templates"):
        found[path]["channelId"] = str(channel.uuid)
    found["/setup-links"]["customerId"] = customer
    found["/webhooks"]["url"] = "http://127.0.0.1:9/events"
    found["/auth/onboard/channel"] |= {"systemUserAccessToken": "sandbox-x", "id": "iq_chan_fuzz"}
    return found


@pytest.fixture
def written(in_schema: Any) -> Callable[[], tuple[int, ...]]:
    """How much there is of everything that the API can write."""
    kinds = (Organization, ApiKey, Channel, Customer, Message, MessageTemplate, SetupLink, Endpoint)

    def count() -> tuple[int, ...]:
        with tenant_context(in_schema):
            return tuple(kind.objects.count() for kind in kinds)

    return count


def changed(body: Any) -> Iterator[tuple[str, Any]]:
    """Every member of `body`, at any depth, replaced by every odd value: (path, body)."""
    places: list[tuple[Any, ...]] = []

    def walk(value: Any, place: tuple[Any, ...]) -> None:
        if place:
            places.append(place)
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for name, inner in items:
            walk(inner, (*place, name))

    walk(body, ())
    for place in places:
        for odd in ODD:
            copy = json.loads(json.dumps(body))
            target = copy
            for name in place[:-1]:
                target = target[name]
            target[place[-1]] = odd
            yield ".".join(map(str, place)), copy


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "path",
    ["/auth/keys", "/auth/onboard/channel", "/messages", "/customers", "/setup-links", "/templates", "/webhooks"],
)
def test_every_odd_value_of_every_member_is_taken_or_refused_in_form_with_its_name(
    vendor: Vendor, bodies: dict[str, Any], written: Any, path: str
) -> None:
    ours = surface_schema("gateway")
    answers = operations(ours)["post", path]["responses"]
    refused = 0
    for place, body in changed(bodies[path]):
        before = written()
        response = vendor.post(path, body)
        said = response.json()
        assert response.status_code < 500, (place, body, said)
        check(said, answers[str(response.status_code)]["content"]["application/json"]["schema"], ours)
        if response.status_code >= 400:
            refused += 1
            assert written() == before, (place, said)
        if response.status_code == 422 and said["error"]["code"] == "validation_failed":
            top = place.partition(".")[0]
            assert any(name.replace("[", ".").split(".")[0] == top for name in said["error"]["fields"]), (place, said)
    assert refused >= 10


@pytest.mark.parametrize("member", ["name", "email", "password"])
def test_odd_registrations_are_refused_and_make_nothing(
    vendor: Vendor, bodies: dict[str, Any], written: Any, member: str
) -> None:
    ours = surface_schema("gateway")
    answers = operations(ours)["post", "/auth/register"]["responses"]
    before = written()
    for odd in ODD:
        # A name may be long and a password odd: then another member is wrong, so that nothing can be made.
        body = bodies["/auth/register"] | {"email": "nobody"} | {member: odd}
        response = vendor.post("/auth/register", body)
        assert 400 <= response.status_code < 500, (member, odd, response.content)
        check(response.json(), answers[str(response.status_code)]["content"]["application/json"]["schema"], ours)
    assert written() == before


QUERIES = {
    "/messages": ("channelId", "customerId", "direction", "status", "limit", "cursor"),
    "/customers": ("externalId", "limit", "cursor"),
    "/templates": ("channelId", "sync"),
    "/webhook-deliveries": ("webhookId", "status", "event", "limit", "cursor"),
    "/setup-links": ("customerId", "limit", "cursor"),
    "/templates/x": ("channelId",),
}
TEXTS = ["", "0", "-1", "1e9", "99999999999999999999999", "\x00", "x" * 5000, "é🚀", "'; --", "../..", "null", "%00"]


@pytest.mark.parametrize("path", QUERIES)
def test_every_odd_value_of_every_parameter_is_taken_or_refused_in_form(
    vendor: Vendor, written: Any, path: str
) -> None:
    before = written()
    for name in QUERIES[path]:
        for value in TEXTS:
            method = "DELETE" if path == "/templates/x" else "GET"
            response = vendor.call(method, path, **{name: value})
            assert response.status_code in (200, 404, 422), (name, value, response.content)
            assert response.json()["success"] is (response.status_code == 200)
    assert written() == before


@pytest.mark.parametrize(
    "path",
    ["/webhooks/{}", "/webhooks/{}/test", "/setup-links/{}", "/templates/{}"],
)
def test_odd_ids_in_addresses_are_404_or_422(vendor: Vendor, path: str, channel: Any) -> None:
    for value in [
        "x",
        "0",
        "%00",
        "%0d%0a",
        "x" * 3000,
        "%F0%9F%9A%80",
        "..%2f..",
        "01a20544-c0d5-7116-be3a-db17296693ea",
    ]:
        method = "POST" if path.endswith("/test") else "DELETE"
        query = {"channelId": str(channel.uuid)} if path.startswith("/templates") else {}
        response = vendor.call(method, path.format(value), {} if method == "POST" else None, **query)
        assert response.status_code in (404, 422), (path, value, response.content)
        assert response.json()["success"] is False


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b'{"name": "\\ud800"}', 400),
        (b"[" * 100_000, 400),
        (b"null", 422),
        (b"[]", 422),
        (b'"x"', 422),
        (b"1e999", 400),
        (b'{"name": NaN}', 400),
    ],
)
def test_bodies_that_are_no_objects_are_refused(vendor: Vendor, written: Any, body: bytes, status: int) -> None:
    before = written()
    for path in ("/customers", "/messages", "/webhooks", "/templates", "/setup-links", "/auth/onboard/channel"):
        response = vendor.call("POST", path, body)
        assert (response.status_code, response.json()["success"]) == (status, False), (path, response.content)
    assert written() == before


def test_a_body_beyond_the_limit_is_refused(vendor: Vendor, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10_000
    response = vendor.post("/customers", {"name": "x" * 20_000})
    assert (response.status_code, response.json()["error"]["code"]) == (413, "body_too_large")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_generated_request_gets_a_5xx_or_an_answer_that_the_document_does_not_know(
    vendor: Vendor, bodies: dict[str, Any], channel: Any, mode: Any
) -> None:
    def prepare(case: Any) -> None:
        # Random ids are always unknown: with real ones the request gets further. Links are not fetched here.
        if isinstance(case.body, dict):
            for name, value in (("channelId", str(channel.uuid)), ("customerId", bodies["/setup-links"]["customerId"])):
                if isinstance(case.body.get(name), str):
                    case.body[name] = value
            for name in ("url", "link"):
                if isinstance(case.body.get(name), str):
                    case.body[name] = "http://127.0.0.1:9/x"
            if isinstance(case.body.get("systemUserAccessToken"), str):
                case.body["systemUserAccessToken"] = "sandbox-x"

    # Making an organisation takes a second: its own test tries odd values.
    skipped = frozenset({"POST /auth/register"} if mode is GenerationMode.POSITIVE else ())
    seen = answers_checked(
        surface="gateway",
        root="/v1",
        headers={"Authorization": f"Bearer {vendor.key}"},
        mode=mode,
        examples=EXAMPLES,
        prepare=prepare,
        skipped=skipped,
    )
    assert len(seen) >= 20
    if mode is GenerationMode.POSITIVE:
        assert {200, 201} & seen["POST /customers"] and 200 in seen["GET /messages"]
    else:
        with_body = [f"POST {path}" for path in bodies]
        assert all({422, 400} & seen[label] for label in with_body), seen
