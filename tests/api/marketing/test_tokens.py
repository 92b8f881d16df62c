"""Logging in: tokens, their end, languages, rates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from api.rate_limit import _client
from audit.models import AuditEntry
from tenants.models import AccessToken, Membership, Organization
from tenants.services.memberships import membership_resume, membership_suspend
from tenants.services.organizations import organization_suspend
from tenants.services.tokens import TOKENS_MOST, token_create
from tests.api.marketing.caller import Marketer, wrong_fields

PASSWORD = "a-long-test-password"


def login(email: str, password: str = PASSWORD, **more: Any) -> Any:
    return Marketer(None).post("/auth/login", {"email": email, "password": password, **more})


@pytest.fixture(autouse=True)
def fresh_rates() -> Iterator[None]:
    """Requests by address are counted in Redis, which outlives a test."""
    rates_forget()
    yield
    rates_forget()


def rates_forget() -> None:
    for key in _client().scan_iter("rate:marketing*"):
        _client().delete(key)
    for key in _client().scan_iter("rate:register:*"):
        _client().delete(key)
    cache.clear()


def test_only_the_hash_of_a_token_is_stored(in_schema: Any, make_member: Any) -> None:
    plain = token_create(membership=make_member(in_schema))
    number, secret = plain.split("|")
    row = AccessToken.objects.get(pk=int(number))
    assert len(row.secret_hash) == 64 and secret not in row.secret_hash
    assert row.expires_at > timezone.now() + timedelta(days=89)


@pytest.mark.parametrize("token", ["", "1", "x|y", "1|", "0|" + "a" * 40, "9" * 30 + "|" + "a" * 40, "1|" + "a" * 41])
def test_what_is_no_token_is_refused(organization: Any, token: str) -> None:
    response = Marketer(token).get("/auth/me")
    assert (response.status_code, response.json()) == (401, {"message": "Unauthenticated."})
    assert response["WWW-Authenticate"] == 'Bearer realm="Griot"'


def test_a_token_with_another_secret_or_past_its_time_is_refused(marketer: Marketer) -> None:
    assert marketer.token is not None
    number, secret = marketer.token.split("|")
    other = secret[:-1] + ("a" if secret[-1] != "a" else "b")
    assert Marketer(f"{number}|{other}").get("/auth/me").status_code == 401
    assert marketer.get("/auth/me").status_code == 200
    AccessToken.objects.filter(pk=int(number)).update(expires_at=timezone.now())
    assert marketer.get("/auth/me").status_code == 401


def test_a_suspension_and_its_end_count_from_the_next_request_on(in_schema: Any, make_marketer: Any) -> None:
    sender = make_marketer(in_schema, "sender")
    assert sender.get("/auth/me").status_code == 200
    membership_suspend(membership=sender.member)
    assert sender.get("/auth/me").status_code == 401
    assert login(sender.member.user.email).status_code == 401
    membership_resume(membership=sender.member)
    assert sender.get("/auth/me").status_code == 200


def test_a_suspended_organisation_lets_nobody_in(organization: Any, make_marketer: Any) -> None:
    owner = make_marketer(organization)
    assert owner.get("/auth/me").status_code == 200
    organization_suspend(organization=Organization.objects.get(pk=organization.pk), reason="unpaid")
    assert owner.get("/auth/me").status_code == 401
    assert login(owner.member.user.email).status_code == 401


def test_a_token_is_refused_on_another_organisations_host(in_schema: Any, marketer: Marketer) -> None:
    own = Marketer(marketer.token, headers={"Host": "demo.localhost"})
    other = Marketer(marketer.token, headers={"Host": "demo-two.localhost"})
    assert (own.get("/auth/me").status_code, other.get("/auth/me").status_code) == (200, 401)


def test_members_of_several_organisations_choose_one(in_schema: Any, other_organization: Any, make_member: Any) -> None:
    member = make_member(in_schema)
    Membership.objects.create(user=member.user, organization=other_organization, role="viewer")
    newest = login(member.user.email).json()["data"]
    assert (newest["organization"], newest["role"]) == ("demo-two", "viewer")
    chosen = login(member.user.email, organization="demo").json()["data"]
    assert (chosen["organization"], chosen["role"]) == ("demo", "owner")
    assert login(member.user.email, organization="nobody").status_code == 401
    me = Marketer(chosen["token"]).get("/auth/me").json()["data"]
    assert (me["organization"], me["sub_account_id"]) == ("demo", member.pk)


def test_a_wrong_password_says_the_same_for_known_and_unknown_addresses(in_schema: Any, make_member: Any) -> None:
    known = login(make_member(in_schema).user.email, "wrong-password-1")
    unknown = login("nobody@people.test", "wrong-password-1")
    assert (known.status_code, known.json()) == (unknown.status_code, unknown.json())
    assert known.status_code == 401


def test_many_wrong_passwords_lock_the_address_out(in_schema: Any, make_member: Any, settings: Any) -> None:
    settings.AXES_FAILURE_LIMIT = 3
    email = make_member(in_schema).user.email
    answers = [login(email, "wrong-password-1").status_code for _ in range(4)]
    assert answers[-1] == 429
    locked = login(email)
    assert (locked.status_code, locked.json()) == (429, {"message": "Too Many Attempts."})
    assert int(locked["Retry-After"]) > 0


def test_the_oldest_login_gives_way(in_schema: Any, make_member: Any) -> None:
    member = make_member(in_schema)
    first = Marketer(token_create(membership=member))
    for _ in range(TOKENS_MOST):
        last = token_create(membership=member)
    assert AccessToken.objects.filter(membership=member).count() == TOKENS_MOST
    assert (first.get("/auth/me").status_code, Marketer(last).get("/auth/me").status_code) == (401, 200)


def test_registration_refuses_what_cannot_be_an_account_and_makes_nothing(organization: Any, settings: Any) -> None:
    good = {"name": "John", "email": "j@people.test", "password": "password123", "password_confirmation": "password123"}
    before = Organization.objects.count()
    anybody = Marketer(None)
    cases: dict[str, Any] = {
        "email": {"email": "no address"},
        "name": {"name": "  "},
        "password": {"password": "short", "password_confirmation": "short"},
        "country": {"country": "ZZ"},
    }
    for field, change in cases.items():
        assert wrong_fields(anybody.post("/auth/register", good | change)) == {field}, field
    unequal = anybody.post("/auth/register", good | {"password_confirmation": "password124"})
    assert unequal.json()["errors"] == {"password": ["La confirmation de password ne correspond pas."]}
    assert set(anybody.post("/auth/register", {}).json()["errors"]) == set(good)
    assert Organization.objects.count() == before
    settings.REGISTRATIONS_PER_HOUR = 0
    assert anybody.post("/auth/register", good).status_code == 403
    settings.REGISTRATIONS_PER_HOUR = 1
    rates_forget()
    assert anybody.post("/auth/register", good).status_code == 201
    second = anybody.post("/auth/register", good | {"email": "k@people.test"})
    assert (second.status_code, second.json()) == (429, {"message": "Too Many Attempts."})


def test_a_registered_person_owns_an_organisation_of_their_own(organization: Any) -> None:
    given = {
        "name": "Ada",
        "email": "ada@people.test",
        "password": "password123",
        "password_confirmation": "password123",
    }
    token = Marketer(None).post("/auth/register", given).json()["data"]["token"]
    ada = Marketer(token)
    me = ada.get("/auth/me").json()["data"]
    assert (me["role"], me["organization_name"], len(me["permissions"])) == ("owner", "Ada", 8)
    assert ada.get("/contacts").json()["data"] == []
    assert ada.post("/contacts", {"name": "A", "phone": "+24162000000"}).status_code == 201
    # The first message can be tried at once: there is a channel to simulated phones.
    sent = ada.post("/messages/send", {"recipients": ["+24162000001", "+24177000002"], "message": "Hello"})
    assert (sent.status_code, sent.json()["data"]["sent"]) == (200, 2), sent.content
    assert sent.json()["data"]["by_operator"] == {"airtel": 1, "moov": 1, "unknown": 0}
    found = ada.post("/messages/analyze", {"phone_numbers": ["0777000003"]}).json()["data"]
    assert found["moov_count"] == 1


@pytest.mark.parametrize(
    ("asked", "forbidden", "said", "language"),
    [
        (None, "Cette action n'est pas autorisée.", "Analyse effectuée", "fr"),
        ("de", "Cette action n'est pas autorisée.", "Analyse effectuée", "fr"),
        ("en-GB,en;q=0.9", "This action is unauthorized.", "Analysis finished", "en"),
        ("es-MX,es;q=0.8", "Esta acción no está autorizada.", "Análisis realizado", "es"),
        ("fr-GA", "Cette action n'est pas autorisée.", "Analyse effectuée", "fr"),
    ],
)
def test_answers_are_in_the_language_that_is_asked_for(
    in_schema: Any, make_marketer: Any, asked: str | None, forbidden: str, said: str, language: str
) -> None:
    headers = {"Accept-Language": asked} if asked else {}
    refused = make_marketer(in_schema, "viewer").call("POST", "/contacts", {}, headers)
    assert (refused.status_code, refused.json()) == (403, {"message": forbidden})
    assert refused["Content-Language"] == language
    done = make_marketer(in_schema).call("POST", "/messages/analyze", {"phone_numbers": ["+24162000001"]}, headers)
    assert done.json()["message"] == said


def test_sending_is_counted_apart_from_everything_else(marketer: Marketer, channel: Any) -> None:
    body = {"recipients": ["+24162000001"], "message": "x"}
    first = marketer.post("/messages/send", body)
    assert (first["X-RateLimit-Limit"], first["X-RateLimit-Remaining"]) == ("60", "59")
    other = marketer.get("/contacts")
    assert (other["X-RateLimit-Limit"], other["X-RateLimit-Remaining"]) == ("120", "119")
    for _ in range(59):
        last = marketer.post("/messages/send", {})
    refused = marketer.post("/messages/send", body)
    while refused.status_code != 429:
        # The bucket refills by one a second.
        refused = marketer.post("/messages/send", {})
    assert last["X-RateLimit-Limit"] == "60"
    assert refused.json() == {"message": "Too Many Attempts."}
    assert refused["X-RateLimit-Remaining"] == "0"
    assert int(refused["Retry-After"]) >= 1
    assert marketer.get("/contacts").status_code == 200


def test_every_answer_tells_the_rate(marketer: Marketer, channel: Any) -> None:
    made = marketer.post("/contact-groups", {"name": "G"})
    answers = [
        made,
        marketer.get("/contacts"),
        marketer.get("/messages/export"),
        marketer.delete(f"/contact-groups/{made.json()['data']['id']}"),
        marketer.post("/contacts", {}),
        marketer.get("/contacts/999999"),
        marketer.get("/nothing"),
        marketer.call("PATCH", "/contacts"),
        Marketer(None).get("/contacts"),
        Marketer("1|" + "x" * 40).get("/contacts"),
        Marketer(None).post("/auth/login", {}),
    ]
    assert [answer.status_code for answer in answers] == [201, 200, 200, 204, 422, 404, 404, 405, 401, 401, 422]
    for answer in answers:
        assert answer["X-RateLimit-Limit"] == "120"
        assert 0 <= int(answer["X-RateLimit-Remaining"]) < 120


def test_strangers_are_counted_by_address_and_lock_nobody_out(marketer: Marketer, make_member: Any) -> None:
    stranger = Marketer("1|" + "x" * 40)
    refused = stranger.get("/contacts")
    for _ in range(400):
        if refused.status_code == 429:
            break
        refused = stranger.get("/contacts")
    assert (refused.status_code, refused.json()) == (429, {"message": "Too Many Attempts."})
    assert refused["X-RateLimit-Remaining"] == "0" and int(refused["Retry-After"]) >= 1
    assert marketer.get("/contacts").status_code == 200
    assert login(marketer.member.user.email, "a-long-test-password").status_code == 200  # type: ignore[attr-defined]


def test_logins_are_recorded_without_the_token(marketer: Marketer) -> None:
    marketer.post("/auth/logout")
    entries = list(AuditEntry.objects.filter(action__in=["auth.login", "auth.logout"]).order_by("id"))
    assert [entry.action for entry in entries] == ["auth.login", "auth.logout"]
    assert "|" not in str([entry.new_values for entry in entries])
