"""Demo data for development: two organisations with different data, a super-admin, and `var/demo.json` with the logins.

Running it again changes nothing that is there. The passwords below are known to everybody, so production refuses it.
"""

from __future__ import annotations

import json
import logging
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django_tenants.utils import tenant_context

from campaigns.models import Campaign, MarketingTemplate
from campaigns.services.campaigns import audience_set, campaign_create
from campaigns.services.text_templates import text_template_create
from config.stack.paths import private_write
from contacts.models import Contact, Group
from contacts.services.groups import group_create, group_members_add
from contacts.services.identities import contact_find_or_create
from messaging.drivers.callbacks import CallbackAbout, callback_address
from messaging.models import Channel, Message, MessageTemplate
from messaging.models.message import PRIORITY_TRANSACTIONAL
from messaging.provider_calls import info_of
from messaging.services.accept import Draft, messages_accept
from messaging.services.channels import channel_by_uuid, channel_create
from otp.models import OtpPolicy
from tenants.connection import connection
from tenants.errors import Forbidden
from tenants.models import ApiKey, Organization, User
from tenants.services.addresses import organization_url
from tenants.services.keys import SCOPES, api_key_authenticate, api_key_create, api_key_revoke
from tenants.services.organizations import organization_create

log = logging.getLogger(__name__)

DEMO_FILE: Final = Path(settings.DEMO_FILE)
SUPER_ADMIN: Final = ("admin@griot.test", "griot-demo-admin")
_KEY_NAME: Final = "Demo"
_KEY_RATE: Final = 600_000
_TEMPLATE: Final[dict[str, Any]] = {
    "name": "order_ready",
    "category": "UTILITY",
    "components": [
        {
            "type": "BODY",
            "text": "Hello {{1}}, your order {{2}} is ready.",
            "example": {"body_text": [["Ama", "1042"]]},
        }
    ],
}


@dataclass(frozen=True, slots=True)
class DemoOrganization:
    """One demo organisation. `people`: (name, phone of the North American range kept for fiction, first message)."""

    name: str
    slug: str
    email: str
    password: str
    default_country: str
    time_zone: str
    language: str
    channel: str
    phone_number_id: str
    account_id: str
    address: str
    sms_id: str
    sms_sender: str
    people: tuple[tuple[str, str, str], ...]


SHOP: Final = DemoOrganization(
    name="Demo Shop",
    slug="demo",
    email="owner@demo.test",
    password="griot-demo-shop",  # noqa: S106  known to everybody on purpose
    default_country="BJ",
    time_zone="Africa/Porto-Novo",
    language="en",
    channel="Demo Shop on WhatsApp",
    phone_number_id="500100000000001",
    account_id="500200000000001",
    address="12025550100",
    sms_id="500300000000000001",
    sms_sender="DEMOSHOP",
    people=(
        ("Ama", "12025550111", "Hello Ama, your order 1042 is packed."),
        ("Kofi", "12025550112", "Hello Kofi, your parcel arrives tomorrow between 9 and 11."),
        ("Nadia", "12025550113", "Nadia, thank you for your visit. Your receipt is number 7731."),
        ("", "12025550114", "Your table for four is booked for Friday, 19:30."),
    ),
)
TWO: Final = DemoOrganization(
    name="Demo Two",
    slug="demo-two",
    email="owner@demo-two.test",
    password="griot-demo-two",  # noqa: S106  known to everybody on purpose
    default_country="FR",
    time_zone="Europe/Paris",
    language="fr",
    channel="Demo Two sur WhatsApp",
    phone_number_id="500100000000002",
    account_id="500200000000002",
    address="12025550101",
    sms_id="500300000000000002",
    sms_sender="DEMOTWO",
    people=(
        ("Lucie", "12025550121", "Bonjour Lucie, votre rendez-vous est confirmé pour lundi à 10 h."),
        ("Marc", "12025550122", "Bonjour Marc, votre colis est arrivé."),
    ),
)


def demo_ensure(path: Path = DEMO_FILE) -> dict[str, Any]:
    """Create what is missing, write `path`, and return its content. The current schema must be the public one."""
    before = _read(path)
    _super_admin()
    shop, two = _organization(SHOP), _organization(TWO)
    channel = _fill(shop, SHOP)
    _fill(two, TWO)
    with tenant_context(shop):
        _sms_channel(shop, SHOP)
    content = {
        "base_url": settings.PUBLIC_BASE_URL,
        "sandbox_url": settings.SANDBOX_URL,
        "super_admin": {"email": SUPER_ADMIN[0], "password": SUPER_ADMIN[1]},
        "organization": _login(shop, SHOP),
        "second_organization": _login(two, TWO)
        | {"transactional_api_key": _api_key(two, _known(before, "second_organization", "transactional_api_key"))},
        "transactional": {
            "api_key": _api_key(shop, _known(before, "transactional", "api_key")),
            "provider_id": str(channel.uuid),
        },
        "gateway": {
            "api_key": _api_key(shop, _known(before, "gateway", "api_key"), surface=ApiKey.Surface.GATEWAY),
            "channel_id": str(channel.uuid),
        },
        "marketing": {"email": SHOP.email, "password": SHOP.password},
        "meta": {"app_secret": settings.META_APP_SECRET, "verify_token": settings.META_VERIFY_TOKEN},
    }
    # The other surfaces keep their own keys in the same file.
    merged = {**before, **content}
    if merged != before:
        # Readable by its owner only: it holds keys.
        private_write(path, json.dumps(merged, indent=2, ensure_ascii=False) + "\n")
    return merged


def sandbox_introduce() -> bool:
    """Tell the sandbox the demo numbers and templates, so that it knows them. False when it does not answer yet."""
    for demo in (SHOP, TWO):
        number = {
            "phone_number_id": demo.phone_number_id,
            "waba_id": demo.account_id,
            "display_phone_number": f"+{demo.address}",
            "verified_name": demo.name,
        }
        headers = {"Authorization": f"Bearer sandbox-token-{demo.slug}"}
        template = _TEMPLATE | {"language": demo.language}
        if not _sandbox_post("/_control/numbers", number) or not _sandbox_post(
            f"/{settings.META_GRAPH_VERSION}/{demo.account_id}/message_templates", template, headers
        ):
            return False
    return _sandbox_sender(SHOP)


def _sandbox_sender(demo: DemoOrganization) -> bool:
    """Tell the sandbox where answers to the SMS channel go, so that its phones can write first."""
    organization = Organization.objects.filter(slug=demo.slug).first()
    if organization is None:
        return True
    with tenant_context(organization):
        address = callback_address(info_of(_sms_channel(organization, demo)), CallbackAbout.REPORT)
    sender = {"sender_id": demo.sms_id, "from": demo.sms_sender, "callback_url": address}
    return _sandbox_post("/_control/senders", sender)


def _sandbox_post(path: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> bool:
    """Whether the sandbox has answered; a refusal is an answer: it knows the template already."""
    request = urllib.request.Request(  # noqa: S310  SANDBOX_URL is http or https by its setting
        f"{settings.SANDBOX_URL}{path}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"} | (headers or {}),
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=2):  # noqa: S310
            return True
    except urllib.error.HTTPError as error:
        log.debug("the sandbox refuses what it knows already", extra={"reason": str(error)})
        return True
    except (OSError, urllib.error.URLError) as error:
        log.debug("the sandbox was not told about the demo numbers", extra={"reason": str(error)})
        return False


def _super_admin() -> None:
    email, password = SUPER_ADMIN
    if not User.objects.filter(email__iexact=email).exists():
        User.objects.create_superuser(email, password, name="Griot")


def _organization(demo: DemoOrganization) -> Organization:
    existing: Organization | None = Organization.objects.filter(slug=demo.slug).first()
    if existing is not None:
        return existing
    return organization_create(
        name=demo.name,
        slug=demo.slug,
        owner_email=demo.email,
        owner_name="Ada",
        owner_password=demo.password,
        default_country=demo.default_country,
        time_zone=demo.time_zone,
        language=demo.language,
    )


def _fill(organization: Organization, demo: DemoOrganization) -> Channel:
    """Channel, relaxed one-time-password limits, contacts and first messages, each where it is missing."""
    with tenant_context(organization):
        channel = Channel.objects.filter(external_id=demo.phone_number_id).first()
        if channel is None:
            channel = channel_create(
                organization=organization,
                name=demo.channel,
                kind="whatsapp_cloud",
                external_id=demo.phone_number_id,
                account_id=demo.account_id,
                address=demo.address,
                secrets={"access_token": f"sandbox-token-{demo.slug}"},
                is_sandbox=True,
            )
            OtpPolicy.objects.update(
                resend_after_seconds=0,
                per_number_per_hour=1000,
                per_prefix_per_hour=100_000,
                per_organization_per_hour=1_000_000,
            )
        _template(channel, demo)
        if not Message.objects.exists():
            _messages(organization, channel, demo)
        _marketing(channel)
    return channel


def _marketing(channel: Channel) -> None:
    """A group with the people, a text template and a campaign that is not sent, each where it is missing."""
    if not Group.objects.exists():
        group = group_create(name="Customers", description="Everybody who has bought something")
        group_members_add(group_id=group.pk, contact_ids=list(Contact.objects.values_list("pk", flat=True)[:100]))
    if not MarketingTemplate.objects.exists():
        text_template_create(
            name="Welcome", content="Hello {prenom|friend}, welcome!", category="notifications", is_public=True
        )
    if not Campaign.objects.exists():
        group_ids = list(Group.objects.values_list("pk", flat=True)[:1])
        organization = Organization.objects.get(schema_name=connection.schema_name)
        campaign = campaign_create(
            organization=organization,
            name="Spring sale",
            channel_id=channel.pk,
            content={"type": "text", "text": {"body": "Hello {prenom|friend}, everything is 20% off this week."}},
        )
        audience_set(organization=organization, campaign_id=campaign.pk, kind="groups", group_ids=group_ids)


def _sms_channel(organization: Organization, demo: DemoOrganization) -> Channel:
    """The channel to the sandbox's SMS gateway."""
    existing: Channel | None = Channel.objects.filter(kind="sms_http", external_id=demo.sms_id).first()
    if existing is not None:
        return existing
    return channel_create(
        organization=organization,
        name=f"{demo.name} by SMS",
        kind="sms_http",
        external_id=demo.sms_id,
        config={"sender": demo.sms_sender},
        is_sandbox=True,
        rate_per_second=100,
    )


def _template(channel: Channel, demo: DemoOrganization) -> None:
    """The template that the sandbox knows too (`sandbox_introduce`); the next reading fills in the rest."""
    key = {"kind": channel.kind, "account_id": channel.account_id, "name": _TEMPLATE["name"]}
    if MessageTemplate.objects.filter(**key).exists():
        return
    MessageTemplate.objects.create(
        **key,
        language=demo.language,
        category=_TEMPLATE["category"],
        components=_TEMPLATE["components"],
        status=MessageTemplate.Status.APPROVED,
    )


def _messages(organization: Organization, channel: Channel, demo: DemoOrganization) -> None:
    for name, phone, _text in demo.people:
        contact_find_or_create(identities=[("phone", phone)], name=name)
    messages_accept(
        organization=organization,
        channel=channel_by_uuid(schema=connection.schema_name, uuid=channel.uuid),
        drafts=[
            Draft(to=f"+{phone}", content={"type": "text", "text": {"body": text}})
            for _name, phone, text in demo.people
        ],
        origin=Message.Origin.API,
        priority=PRIORITY_TRANSACTIONAL,
        save_contact=True,
    )


def _api_key(organization: Organization, known: str | None, *, surface: str = ApiKey.Surface.TRANSACTIONAL) -> str:
    """The key of the last run while it works; else a new one, and the old ones are revoked."""
    if known:
        try:
            if api_key_authenticate(known, surface).organization.id == organization.pk:
                return known
        except Forbidden:
            log.info("the demo key of the last run does not work any more: a new one is made")
    usable = ApiKey.objects.filter(organization=organization, surface=surface, revoked_at__isnull=True)
    for stale in usable.filter(name=_KEY_NAME):
        api_key_revoke(api_key=stale)
    _row, plain = api_key_create(
        organization=organization,
        name=_KEY_NAME,
        surface=surface,
        mode=ApiKey.Mode.LIVE,
        scopes=SCOPES[surface],
        rate_per_minute=_KEY_RATE,
    )
    return plain


def _login(organization: Organization, demo: DemoOrganization) -> dict[str, str]:
    return {
        "id": str(organization.uuid),
        "name": organization.name,
        "slug": organization.slug,
        "admin_url": organization_url(organization, "/admin/"),
        "email": demo.email,
        "password": demo.password,
    }


def _known(content: dict[str, Any], section: str, name: str) -> str | None:
    value = content.get(section)
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None


def _read(path: Path) -> dict[str, Any]:
    """What the last run wrote; nothing when the file is missing or was cut off."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return content if isinstance(content, dict) else {}
