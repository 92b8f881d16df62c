from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone

from tenants.errors import Conflict, Forbidden, InvalidInput, NotFound
from tenants.middleware import TenantMiddleware
from tenants.models import Domain, Membership, Organization, SupportAccess, User
from tenants.services.hosts import hosts_forget, organization_of_host
from tenants.services.organizations import organization_delete, organization_suspend
from tenants.services.support import support_access_enter, support_access_grant
from tests.tenants.conftest import PASSWORD

pytestmark = pytest.mark.django_db
# A page that needs a login and nothing else.
PAGE = "/admin/password_change/"


def passed(path: str, host: str) -> tuple[HttpResponse, HttpRequest, str]:
    """Answer, request and schema as the next layer sees them."""
    seen: dict[str, Any] = {"schema": "not reached"}

    def next_layer(request: HttpRequest) -> HttpResponse:
        seen["schema"] = connection.schema_name
        return HttpResponse("inside")

    request = RequestFactory().get(path, headers={"host": host})
    return TenantMiddleware(next_layer)(request), request, seen["schema"]


def test_a_host_leads_to_its_organisation_whatever_its_case_and_port(organization: Organization) -> None:
    for host in ("demo.localhost", "DEMO.localhost:8000"):
        _, request, schema = passed("/admin/", host)
        assert (request.tenant, schema, request.urlconf) == (organization, "t_demo", "config.urls_tenant")  # type: ignore[attr-defined]


def test_the_public_hosts_lead_to_the_super_admin_site(db: None) -> None:
    for host in ("localhost:8000", "127.0.0.1"):
        _, request, schema = passed("/admin/", host)
        assert (request.tenant.schema_name, schema) == ("public", "public")  # type: ignore[attr-defined]
        assert request.urlconf == "config.urls_public"  # type: ignore[attr-defined]


def test_the_connection_starts_in_public_whatever_was_before(organization: Organization) -> None:
    connection.set_tenant(organization)
    assert passed("/admin/", "localhost")[2] == "public"
    connection.set_tenant(organization)
    assert passed("/admin/", "nobody.localhost")[0].status_code == 404
    assert connection.schema_name == "public"


def test_an_unknown_host_gets_a_page_that_says_nothing(db: None) -> None:
    answer, _, schema = passed("/admin/", "nobody.localhost")
    assert (answer.status_code, schema) == (404, "not reached")
    assert b"nobody" not in answer.content


def test_credential_paths_stay_in_public_and_keep_the_host_s_organisation(organization: Organization) -> None:
    for path in ("/api/v1/providers", "/webhook/meta", "/docs/", "/v1/anything"):
        _, request, schema = passed(path, "demo.localhost")
        assert (request.tenant, schema) == (organization, "public")  # type: ignore[attr-defined]
        answer, request, schema = passed(path, "unknown.localhost")
        assert (answer.status_code, request.tenant, schema) == (200, None, "public")  # type: ignore[attr-defined]


@pytest.mark.parametrize(("act", "status"), [("suspend", 403), ("delete", 404)])
def test_a_stopped_organisation_s_admin_is_closed(organization: Organization, act: str, status: int) -> None:
    if act == "suspend":
        organization_suspend(organization=organization, reason="a secret reason")
    else:
        organization_delete(organization=organization)
    hosts_forget()
    answer, _, schema = passed("/admin/", "demo.localhost")
    assert (answer.status_code, schema) == (status, "not reached")
    assert b"Demo" not in answer.content and b"secret" not in answer.content
    # The keys are refused by the API's own check; here the request goes on.
    assert passed("/api/v1/providers", "demo.localhost")[0].status_code == 200


def test_a_host_is_looked_up_once_and_a_suspension_is_seen_within_a_second(
    organization: Organization, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tenants.services import hosts

    clock = [1000.0]
    monkeypatch.setattr(hosts.time, "monotonic", lambda: clock[0])
    with django_assert_num_queries(1):
        organization_of_host("demo.localhost")
        organization_of_host("demo.localhost")
    Organization.objects.filter(pk=organization.pk).update(status="suspended")
    clock[0] += 1.0
    found = organization_of_host("demo.localhost")
    assert found is not None and found.status == "suspended"


def test_unknown_hosts_do_not_fill_the_memory(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from tenants.services import hosts

    monkeypatch.setattr(hosts, "_MOST", 5)
    for number in range(20):
        assert organization_of_host(f"host{number}.localhost") is None
    assert len(hosts._hosts) <= 5


def test_what_one_request_does_to_its_organisation_stays_there(organization: Organization) -> None:
    first = organization_of_host("demo.localhost")
    assert first is not None
    first.name = "changed"
    second = organization_of_host("demo.localhost")
    assert second is not None and second.name == "Demo Shop"


def test_an_own_domain_leads_to_its_organisation(organization: Organization, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["messages.shop.test"]
    Domain.objects.create(domain="messages.shop.test", tenant=organization, is_primary=False)
    assert passed("/admin/", "messages.shop.test")[1].tenant == organization  # type: ignore[attr-defined]


def test_a_login_opens_only_the_host_of_its_organisation(
    organization: Organization, log_in: Callable[..., Any]
) -> None:
    client, answer = log_in("demo.localhost", "owner@demo.test")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/")
    assert client.get(PAGE).status_code == 200
    for host in ("demo-two.localhost", "localhost"):
        other, answer = log_in(host, "owner@demo.test")
        assert answer.status_code == 200
        assert "_auth_user_id" not in other.session


def test_a_session_carried_to_another_host_is_logged_out(
    organization: Organization, log_in: Callable[..., Any]
) -> None:
    other = Organization.objects.get(slug="demo-two")
    user = User.objects.get(email="owner@demo.test")
    # Even a member of both has one session per host.
    Membership.objects.create(user=user, organization=other, role="viewer")
    client, _ = log_in("demo.localhost", "owner@demo.test")
    for host in ("demo-two.localhost", "localhost"):
        thief = Client(headers={"host": host})
        thief.cookies = client.cookies.copy()
        answer = thief.get(PAGE)
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/admin/login/")
        # The session is gone, not only refused.
        assert not Session.objects.filter(pk=client.cookies["sessionid"].value).exists()
        client, _ = log_in("demo.localhost", "owner@demo.test")


@pytest.mark.parametrize("loss", ["suspended", "removed", "inactive", "organisation"])
def test_a_right_that_is_lost_ends_the_session_at_the_next_request(
    organization: Organization, log_in: Callable[..., Any], loss: str
) -> None:
    client, _ = log_in("demo.localhost", "owner@demo.test")
    assert client.get(PAGE).status_code == 200
    member = Membership.objects.filter(user__email="owner@demo.test")
    if loss == "suspended":
        member.update(is_suspended=True)
    elif loss == "removed":
        member.delete()
    elif loss == "inactive":
        User.objects.filter(email="owner@demo.test").update(is_active=False)
    else:
        organization_suspend(organization=organization, reason="unpaid")
        hosts_forget()
    assert client.get(PAGE).status_code == (403 if loss == "organisation" else 302)


def test_a_super_admin_who_no_longer_is_one_is_logged_out(db: None, log_in: Callable[..., Any]) -> None:
    admin = User.objects.create_superuser("root@griot.test", PASSWORD)
    client, _ = log_in("localhost", "root@griot.test")
    assert client.get(PAGE).status_code == 200
    User.objects.filter(pk=admin.pk).update(is_superuser=False)
    assert client.get(PAGE).status_code == 302


def test_a_super_admin_without_membership_cannot_log_in_on_an_organisation_s_host(
    organization: Organization, log_in: Callable[..., Any]
) -> None:
    User.objects.create_superuser("root@griot.test", PASSWORD)
    client, _ = log_in("demo.localhost", "root@griot.test")
    assert "_auth_user_id" not in client.session


# Support access


@pytest.fixture
def super_admin(db: None) -> User:
    return User.objects.create_superuser("root@griot.test", PASSWORD)


def path_of(url: str, host: str) -> str:
    prefix = f"http://{host}:8000"
    assert url.startswith(f"{prefix}/support/")
    return url.removeprefix(prefix)


def test_support_enters_once_is_recorded_and_acts_as_owner(
    organization: Organization, super_admin: User, browser: Callable[..., Client]
) -> None:
    url = support_access_grant(user=super_admin, organization=organization, reason=" ticket 12 ")
    client = browser("demo.localhost", REMOTE_ADDR="192.0.2.7")
    answer = client.get(path_of(url, "demo.localhost"))
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/")
    page = client.get(PAGE)
    assert page.status_code == 200
    assert page.wsgi_request.support_access.organization == organization
    record = SupportAccess.objects.get()
    assert (record.user, record.reason, record.address) == (super_admin, "ticket 12", "192.0.2.7")
    assert record.entered_at is not None
    assert record.expires_at - record.entered_at == timedelta(minutes=60)
    assert browser("demo.localhost").get(path_of(url, "demo.localhost")).status_code == 404


def test_a_support_visit_ends_after_an_hour_and_with_the_super_admin_s_rights(
    organization: Organization, super_admin: User, browser: Callable[..., Client]
) -> None:
    for end in (
        lambda: SupportAccess.objects.update(expires_at=timezone.now() - timedelta(seconds=1)),
        lambda: User.objects.filter(pk=super_admin.pk).update(is_superuser=False),
    ):
        url = support_access_grant(user=super_admin, organization=organization, reason="ticket")
        client = browser("demo.localhost")
        client.get(path_of(url, "demo.localhost"))
        assert client.get(PAGE).status_code == 200
        end()
        assert client.get(PAGE).status_code == 302


def test_a_support_link_is_of_one_host_and_a_minute(
    organization: Organization, other_organization: Organization, super_admin: User
) -> None:
    url = support_access_grant(user=super_admin, organization=organization, reason="ticket")
    token = url.rstrip("/").rsplit("/", 1)[1]
    with pytest.raises(NotFound):
        support_access_enter(token=token, organization=other_organization, address=None)
    record = SupportAccess.objects.get()
    assert token not in record.token_hash
    assert timedelta(seconds=55) < record.expires_at - record.created_at <= timedelta(seconds=60)
    SupportAccess.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(NotFound):
        support_access_enter(token=token, organization=organization, address=None)
    assert SupportAccess.objects.get().entered_at is None


def test_support_is_for_super_admins_with_a_reason_and_active_organisations(
    organization: Organization, super_admin: User
) -> None:
    owner = User.objects.get(email="owner@demo.test")
    with pytest.raises(Forbidden):
        support_access_grant(user=owner, organization=organization, reason="curious")
    with pytest.raises(InvalidInput):
        support_access_grant(user=super_admin, organization=organization, reason=" ")
    organization_suspend(organization=organization, reason="unpaid")
    with pytest.raises(Conflict):
        support_access_grant(user=super_admin, organization=organization, reason="ticket")
    assert not SupportAccess.objects.exists()


# Lock-out


def test_ten_wrong_passwords_lock_the_account_for_that_address_only(
    organization: Organization, log_in: Callable[..., Any]
) -> None:
    def attempt(password: str, address: str, email: str = "owner@demo.test") -> tuple[int, bool]:
        client, answer = log_in("demo.localhost", email, password, REMOTE_ADDR=address)
        return answer.status_code, "_auth_user_id" in client.session

    for number in range(9):
        # Another spelling is the same account.
        spelling = "OWNER@demo.test" if number % 2 else " owner@demo.test"
        assert attempt("wrong-password", "192.0.2.1", spelling) == (200, False)
    assert attempt("wrong-password", "192.0.2.1") == (429, False)
    assert attempt(PASSWORD, "192.0.2.1") == (429, False)
    assert attempt(PASSWORD, "192.0.2.2") == (302, True)


def test_a_lock_out_holds_on_every_host(organization: Organization, log_in: Callable[..., Any]) -> None:
    for _ in range(10):
        log_in("localhost", "owner@demo.test", "wrong-password", REMOTE_ADDR="192.0.2.1")
    client, answer = log_in("demo.localhost", "owner@demo.test", REMOTE_ADDR="192.0.2.1")
    assert (answer.status_code, "_auth_user_id" in client.session) == (429, False)


# Invitations over HTTP


def test_an_invitation_page_makes_the_account_and_leads_to_the_login(
    organization: Organization,
    other_organization: Organization,
    browser: Callable[..., Client],
    log_in: Callable[..., Any],
    django_capture_on_commit_callbacks: Any,
) -> None:
    from tests.tenants.test_memberships import invited

    token = invited(organization, django_capture_on_commit_callbacks)
    client = browser("demo.localhost")
    page = client.get(f"/invitation/{token}/")
    assert page.status_code == 200 and b"Join Demo Shop" in page.content
    assert browser("demo-two.localhost").get(f"/invitation/{token}/").status_code == 404

    differ = {"name": "Ada", "password": PASSWORD, "repeated": "something-else-1"}
    assert b"The two passwords differ." in client.post(f"/invitation/{token}/", differ).content
    weak = {"name": "Ada", "password": "short", "repeated": "short"}
    assert client.post(f"/invitation/{token}/", weak).status_code == 200
    assert not User.objects.filter(email="new@demo.test").exists()

    answer = client.post(f"/invitation/{token}/", {"name": "Ada", "password": PASSWORD, "repeated": PASSWORD})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/login/")
    assert log_in("demo.localhost", "new@demo.test")[1].status_code == 302
    assert client.get(f"/invitation/{token}/").status_code == 404
