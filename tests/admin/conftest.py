"""People of every role, logged in on the two kinds of hosts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.test import Client
from django_tenants.utils import get_public_schema_name, tenant_context

ROLES = ("owner", "admin", "manager", "sender", "viewer")


@pytest.fixture(autouse=True)
def public_site_row(db: None) -> None:
    """The public host's row, which `manage.py migrate` makes outside of tests."""
    from tenants.services.hosts import hosts_forget
    from tenants.services.organizations import public_ensure

    public_ensure()
    hosts_forget()


@pytest.fixture(autouse=True)
def collected_static(settings: Any, tmp_path: Path) -> None:
    """Whitenoise warns about a directory that only exists after `collectstatic`."""
    settings.STATIC_ROOT = str(tmp_path)


@pytest.fixture
def make_member() -> Callable[..., Any]:
    """`make_member(organization, role)`: a user with this role there."""
    from tenants.models import Membership, User

    def make(organization: Any, role: str, **fields: Any) -> Any:
        email = fields.pop("email", f"{role}@{organization.slug}.example")
        user = User.objects.create_user(email, None, **fields)
        return Membership.objects.create(user=user, organization=organization, role=role)

    return make


@pytest.fixture
def login() -> Callable[..., Client]:
    """`login(user, organization)`: a browser with a session of this user on the organisation's host (None: public)."""
    from tenants.sessions import SCHEMA_SESSION_KEY

    def log_in(user: Any, organization: Any | None) -> Client:
        client = Client(HTTP_HOST=organization.host if organization else configured.BASE_DOMAIN)
        client.force_login(user, backend="tenants.auth.MembershipBackend")
        session = client.session
        session[SCHEMA_SESSION_KEY] = organization.schema_name if organization else get_public_schema_name()
        session.save()
        return client

    return log_in


@pytest.fixture
def browser_of(
    organization: Any, make_member: Callable[..., Any], login: Callable[..., Client]
) -> Callable[[str], Client]:
    """`browser_of(role)`: a browser of a member of the first organisation."""

    def make(role: str) -> Client:
        return login(make_member(organization, role).user, organization)

    return make


@pytest.fixture
def super_browser(db: None, login: Callable[..., Client]) -> Client:
    """A browser of a super-admin on the public host."""
    from tenants.models import User

    return login(User.objects.create_superuser("super@griot.example", None), None)


@pytest.fixture
def fill(make_channel: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """`fill(organization, word)`: one object of every model of the organisation's admin, all of them saying `word`."""

    def make(organization: Any, word: str) -> dict[str, Any]:
        from datetime import timedelta
        from io import BytesIO

        from django.contrib.admin.models import CHANGE, LogEntry
        from django.utils import timezone

        from audit.models import AuditEntry
        from billing.models import CreditAccount
        from billing.services.credits import account_open, credits_top_up
        from billing.tariffs.models import Tariff
        from campaigns.services.campaigns import campaign_create
        from campaigns.services.text_templates import text_template_create
        from contacts.filters import ContactFilter
        from contacts.models import CustomField, Identity, OptOutPolicy, Suppression
        from contacts.services.groups import group_create
        from contacts.services.identities import contact_find_or_create
        from contacts.services.imports import import_create
        from contacts.services.jobs import job_start
        from contacts.services.segments import segment_save
        from messaging.models import Customer, MediaFile, Message, MessageTemplate, OperatorPrefix
        from messaging.services.setup_links import setup_link_create
        from otp.models import OneTimePassword, OtpPolicy
        from tenants.models import ApiKey, Invitation, Membership, RetentionPeriod
        from tenants.services.keys import api_key_create
        from webhooks_app.models import Attempt, Delivery, Event
        from webhooks_app.services.endpoints import endpoint_create

        soon = timezone.now() + timedelta(minutes=5)
        channel = make_channel(organization, name=f"{word} channel")
        membership = Membership.objects.select_related("user").get(
            organization=organization, user__email=f"owner@{organization.slug}.test"
        )
        key, _plain = api_key_create(organization=organization, name=f"{word} key", scopes=["messages:send"])
        assert isinstance(key, ApiKey)
        invitation = Invitation.objects.create(
            organization=organization, email=f"{word}@invited.example", token_hash=word, expires_at=soon
        )
        period = RetentionPeriod.objects.create(
            organization=organization, kind="messages", set_by=RetentionPeriod.SetBy.ORGANIZATION, days=400
        )
        with tenant_context(organization):
            contact = contact_find_or_create(identities=[(Identity.Kind.PHONE, "22997120001")], name=f"{word} contact")
            common = {"channel": channel, "direction": "out", "address": "22997120001", "type": "text"}
            message = Message.objects.create(
                **common,
                contact_id=contact,
                status="failed",
                origin="api",
                content={"type": "text", "text": {"body": f"{word} body"}},
                error_code="131026",
                error_reason=f"{word} reason",
            )
            secret = Message.objects.create(
                **common,
                contact_id=contact,
                status="sent",
                origin="otp",
                is_sensitive=True,
                content={"type": "text", "text": {"body": "Your code: 845193"}},
            )
            opt_out_policy = OptOutPolicy.objects.create()
            suppression = Suppression.objects.create(address="22997120009", reason="blacklist", note=f"{word} note")
            otp = OneTimePassword.objects.create(
                phone="22997120001",
                prefix="22997",
                code_hash="f" * 64,
                channel_id=channel.pk,
                max_attempts=5,
                expires_at=soon,
                message_uuid=secret.uuid,
            )
            entry = LogEntry.objects.create(
                user=membership.user,
                object_id="1",
                object_repr=f"{word} object",
                action_flag=CHANGE,
                change_message="x",
            )
            endpoint, _secret = endpoint_create(
                surface="workspace", name=f"{word} webhook", url=f"http://127.0.0.1:9/{word}", events=["*"]
            )
            event = Event.objects.create(type="contact.created", data={"contact": {"name": f"{word} person"}})
            delivery = Delivery.objects.create(
                endpoint=endpoint, event_id=event.pk, event_type=event.type, status="failed", error=f"{word} error"
            )
            Attempt.objects.create(
                delivery=delivery, number=1, at=timezone.now(), latency_ms=5, response_head=f"{word} answer"
            )
            policy = OtpPolicy.objects.get()
            campaign = campaign_create(
                organization=organization,
                name=f"{word} campaign",
                channel_id=channel.pk,
                content={"type": "text", "text": {"body": f"{word} text"}},
            )
            group = group_create(name=f"{word} group")
            segment = segment_save(name=f"{word} segment", rules={"field": "status", "op": "is", "value": "active"})
            own_field = CustomField.objects.create(key=f"{word}_field")
            upload = import_create(
                organization=organization, source=BytesIO(b"phone\n+22996123456\n"), filename=f"{word}.csv"
            )
            job = job_start(kind="status_set", filter=ContactFilter(), status="inactive")
            audited = AuditEntry.objects.create(
                action="contact.updated",
                object_type="contacts.contact",
                object_label=f"{word} object",
                actor_kind="system",
            )
        tariff = Tariff.objects.create(organization=organization, country="BJ", operator=f"{word}_mobile", price=1)
        with tenant_context(organization):
            account = account_open(membership=membership)
            CreditAccount.objects.filter(pk=account.pk).update(label=f"{word} account", is_active=False)
            movement = credits_top_up(account_id=account.pk, amount=1, reason=f"{word} invoice")
            customer = Customer.objects.create(name=f"{word} customer")
            link = setup_link_create(organization=organization, customer=customer).link
            template = MessageTemplate.objects.create(
                kind=channel.kind,
                account_id=channel.account_id,
                name=f"{word}_template",
                language="en",
                category="UTILITY",
                status="APPROVED",
                components=[{"type": "BODY", "text": f"{word} text"}],
            )
            text_template = text_template_create(
                name=f"{word} words", content=f"{word} text {{nom}}", category="other", is_public=True
            )
            kept = MediaFile.objects.create(
                message=message, channel=channel, kind="document", filename=f"{word}.pdf", state="failed"
            )
            prefix = OperatorPrefix.objects.create(prefix="22997", operator=f"{word}_telecom")
        return {
            "billing.creditaccount": account.pk,
            "billing.ledgerentry": movement.pk,
            "tariffs.tariff": tariff.pk,
            "messaging.operatorprefix": prefix.pk,
            "messaging.channel": channel.pk,
            "messaging.mediafile": kept.pk,
            "messaging.customer": customer.pk,
            "messaging.setuplink": link.pk,
            "messaging.messagetemplate": template.pk,
            "messaging.message": message.pk,
            "sensitive": secret.pk,
            "campaigns.campaign": campaign.pk,
            "campaigns.marketingtemplate": text_template.pk,
            "contacts.contact": contact,
            "contacts.group": group.pk,
            "contacts.segment": segment.pk,
            "contacts.customfield": own_field.pk,
            "contacts.contactimport": upload.pk,
            "contacts.contactjob": job.pk,
            "contacts.suppression": suppression.pk,
            "contacts.optoutpolicy": opt_out_policy.pk,
            "otp.onetimepassword": otp.pk,
            "otp.otppolicy": policy.pk,
            "webhooks_app.endpoint": endpoint.pk,
            "webhooks_app.delivery": delivery.pk,
            "tenants.apikey": key.pk,
            "tenants.membership": membership.pk,
            "tenants.invitation": invitation.pk,
            "tenants.organization": organization.pk,
            "tenants.retentionperiod": period.pk,
            "admin.logentry": entry.pk,
            "audit.auditentry": audited.pk,
        }

    return make
