"""Fixtures for every test: two organisations made once, their schemas entered inside rolled-back transactions."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.db import connection
from django_tenants.utils import get_public_schema_name, tenant_context

from tests.parallel_order import place

SLUG, OTHER_SLUG = "demo", "demo-two"
# Public tables that tests write to and that are not part of the two organisations themselves.
_PUBLIC_TABLES = (
    "tenants_apikey",
    "tenants_inboundroute",
    "tenants_inboundevent",
    "tenants_agendaitem",
    "tenants_channelhealth",
    "tenants_retentionperiod",
    "tenants_retentionstate",
)
_KEPT_TABLES = ("django_migrations", "otp_otppolicy")


# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("griot", deadline=None)
hypothesis.settings.load_profile("griot")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With several test processes the long files come first; within both parts the order stays random."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: place(item.nodeid))


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that tries to leave this machine fails."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not str(address[0]).startswith(
            ("127.", "::1", "localhost")
        ):
            raise AssertionError(f"a test tried to connect to {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: Any, django_db_keepdb: bool) -> Iterator[None]:
    """The test database with two organisations that stay for the whole session.

    In place of the plugin's fixture, which makes no database when no selected test carries its mark.
    """
    from django.test.utils import setup_databases, teardown_databases

    from tenants.models import Organization
    from tenants.services.organizations import organization_create

    with django_db_blocker.unblock():
        databases = setup_databases(
            verbosity=0, interactive=False, keepdb=django_db_keepdb, aliases={"default"}, serialized_aliases=set()
        )
        connection.set_schema_to_public()
        for slug, name in ((SLUG, "Demo Shop"), (OTHER_SLUG, "Demo Two")):
            if not Organization.objects.filter(slug=slug).exists():
                organization_create(
                    name=name, slug=slug, owner_email=f"owner@{slug}.test", owner_password="a-long-test-password"
                )
            _forget_creation(slug)
        connection.close()
    yield
    if not django_db_keepdb:
        with django_db_blocker.unblock():
            connection.set_schema_to_public()
            teardown_databases(databases, verbosity=0)


def _forget_creation(slug: str) -> None:
    """Tests start with an empty audit log and an empty agenda."""
    from audit.models import AuditChain, AuditEntry
    from tenants.models import AgendaItem

    with tenant_context(_organization(slug)):
        AuditEntry.objects.all().delete()
        AuditChain.objects.all().delete()
    AgendaItem.objects.all().delete()


def _organization(slug: str) -> Any:
    from tenants.models import Organization

    return Organization.objects.get(slug=slug)


@pytest.fixture
def organization(db: None) -> Any:
    """The first organisation; the current schema stays the public one."""
    return _organization(SLUG)


@pytest.fixture
def other_organization(db: None) -> Any:
    """The second organisation, whose data nobody of the first may see."""
    return _organization(OTHER_SLUG)


@pytest.fixture
def in_schema(organization: Any) -> Iterator[Any]:
    """The first organisation with its schema entered; everything is rolled back afterwards."""
    connection.set_tenant(organization)
    yield organization
    connection.set_schema_to_public()


@pytest.fixture
def make_channel() -> Callable[..., Any]:
    """`make_channel(organization, **fields)`: a connected sandbox channel; leaves the current schema as it was."""
    from django_tenants.utils import tenant_context

    from messaging.services.channels import channel_create

    made = iter(range(100_000_000_000_000, 999_999_999_999_999))

    def make(organization: Any, **fields: Any) -> Any:
        defaults = {
            "name": "Support",
            "kind": "whatsapp_cloud",
            "external_id": str(next(made)),
            "account_id": "980215774401238",
            "address": "22997000000",
            "secrets": {"access_token": "sandbox-token-test"},
            "is_sandbox": True,
        }
        with tenant_context(organization):
            return channel_create(organization=organization, **(defaults | fields))

    return make


@pytest.fixture
def channel(in_schema: Any, make_channel: Callable[..., Any]) -> Any:
    """A connected sandbox channel of the first organisation, whose schema is entered."""
    return make_channel(in_schema)


@pytest.fixture
def committed(django_db_setup: None, django_db_blocker: Any) -> Iterator[tuple[Any, Any]]:
    """(organisation, other organisation) without a surrounding transaction, for threads and other processes.

    Afterwards every table of both schemas and the public rows that belong to them are emptied.
    """
    with django_db_blocker.unblock():
        connection.set_schema_to_public()
        organizations = _organization(SLUG), _organization(OTHER_SLUG)
        yield organizations
        connection.set_schema_to_public()
        with connection.cursor() as cursor:
            for organization in organizations:
                cursor.execute(
                    "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename <> ALL(%s)",
                    [organization.schema_name, list(_KEPT_TABLES)],
                )
                tables = ", ".join(f'"{organization.schema_name}"."{name}"' for (name,) in cursor.fetchall())
                cursor.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
            for table in _PUBLIC_TABLES:
                cursor.execute(f"DELETE FROM public.{table}")
        connection.close()


@pytest.fixture
def storage(settings: Any, tmp_path: Path) -> Path:
    """The folder that files are kept in, for this test alone."""
    backend = "django.core.files.storage.FileSystemStorage"
    settings.STORAGES = settings.STORAGES | {"media": {"BACKEND": backend, "OPTIONS": {"location": str(tmp_path)}}}
    return tmp_path


@pytest.fixture(scope="session")
def _provider_process() -> Iterator[Any]:
    from django.conf import settings

    from sandbox.testing import SandboxProcess

    env = {
        "META_APP_ID": settings.META_APP_ID or "720011223344556",
        "META_APP_SECRET": settings.META_APP_SECRET or "sandbox-app-secret",
        # Nobody listens there: webhooks are what other tests are about.
        "SANDBOX_SWITCH_WEBHOOKS": "false",
        "SANDBOX_SWITCH_TEMPLATE_REVIEW_MS": "20",
    }
    with SandboxProcess(env=env) as process:
        yield process


@pytest.fixture
def provider(_provider_process: Any, settings: Any) -> Any:
    """The sandbox as the provider of sandbox channels: a real server, as it was after its start."""
    _provider_process.control("POST", "reset")
    settings.SANDBOX_URL = _provider_process.url
    settings.META_APP_ID = settings.META_APP_ID or "720011223344556"
    settings.META_APP_SECRET = settings.META_APP_SECRET or "sandbox-app-secret"
    return _provider_process


@pytest.fixture(scope="session")
def live_stack() -> Iterator[Any]:
    """The whole platform as real processes on a database of its own; `base_url`, `sandbox_url`, `demo`, `kill`…"""
    import os

    from config.stack.instance import Instance

    settings = {
        "IN_DOUBT_WINDOW_SECONDS": "6",
        "DISPATCH_LEASE_SECONDS": "5",
        # The shortest that Granian takes: its threads end and begin many times while the tests run.
        "GRANIAN_BLOCKING_THREADS_IDLE_TIMEOUT": "5",
    }
    with Instance(os.environ, settings=settings) as instance:
        yield instance


@pytest.fixture(autouse=True)
def start_in_public_schema() -> Iterator[None]:
    """No test inherits the schema of the one before."""
    connection.set_schema_to_public()
    yield
    assert connection.schema_name is not None
    if connection.schema_name != get_public_schema_name():
        connection.set_schema_to_public()
