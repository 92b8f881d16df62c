"""Every event that Griot publishes, and under which name each API surface offers it.

An event type has one neutral payload, described here; `webhooks_app.formats` turns it into what a surface documents.
Common parts of payloads, of which a publisher gives those that apply (times are ISO 8601, ids without a prefix):

- `channel`: id (uuid), number (integer id), name, kind, address, is_sandbox, customer_id
- `contact`: id (uuid), number, name, phone, email; contact events also group, status, custom_fields
- `message`: id (uuid), number, provider_id, direction, type, status, address, origin, content, reply_to, bulk_id,
  campaign_run_id, queued_at, sent_at, delivered_at, read_at, failed_at, error_code, error_reason
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from tenants.errors import InvalidInput

TEST_EVENT: Final = "webhook.test"
# The others of a subscription's names.
EVERYTHING: Final = "*"


class Surface(models.TextChoices):
    """Which API an endpoint was registered through: it decides names, payloads and defaults."""

    GATEWAY = "gateway", _("Gateway")
    MARKETING = "marketing", _("Marketing")
    TRANSACTIONAL = "transactional", _("Transactional")
    CRM = "crm", _("CRM")
    WORKSPACE = "workspace", _("Workspace")


@dataclass(frozen=True, slots=True)
class EventType:
    """One kind of event: its label for people, and what the payload holds."""

    label: str | Promise
    payload: str


EVENT_TYPES: Final[Mapping[str, EventType]] = {
    "message.received": EventType(
        _("Message received"), "message (files: id, kind, mime_type, filename), channel, contact"
    ),
    "message.sent": EventType(_("Message sent"), "message, channel, contact"),
    "message.delivered": EventType(_("Message delivered"), "message, channel, contact"),
    "message.read": EventType(_("Message read"), "message, channel, contact"),
    "message.failed": EventType(_("Message failed"), "message (error_code, error_reason), channel, contact"),
    "message.cancelled": EventType(_("Message cancelled"), "message, channel, contact"),
    "template.status_changed": EventType(
        _("Template status changed"), "channel, template: id, name, language, category, old_status, new_status, reason"
    ),
    "channel.status_changed": EventType(_("Channel state changed"), "channel: also old_status, new_status, reason"),
    "campaign.started": EventType(_("Campaign started"), "campaign: id, number, name, status, run_id, recipients"),
    "campaign.completed": EventType(
        _("Campaign completed"), "campaign: as started, and sent, delivered, read, failed, skipped"
    ),
    "campaign.failed": EventType(_("Campaign failed"), "campaign: as completed, and reason"),
    "contact.created": EventType(_("Contact created"), "contact"),
    "contact.updated": EventType(_("Contact updated"), "contact, changed: names of the fields"),
    "contact.deleted": EventType(_("Contact deleted"), "contact: id, number, name, phone"),
    "contact.opted_out": EventType(_("Contact opted out"), "contact: as deleted, scope (all or marketing), word"),
    "contact.opted_in": EventType(_("Contact opted in again"), "contact: as deleted, word"),
    "sub_account.created": EventType(_("Sub-account created"), "sub_account: id, number, name, email, role, status"),
    "sub_account.suspended": EventType(_("Sub-account suspended"), "sub_account"),
    "blacklist.added": EventType(_("Number blacklisted"), "blacklist: number, phone_number, reason, added_at"),
    "otp.sent": EventType(_("One-time password sent"), "otp: message_id, phone, channel (never the code)"),
    "otp.verified": EventType(_("One-time password verified"), "otp: message_id, phone"),
    "otp.failed": EventType(_("One-time password failed"), "otp: message_id, phone, reason"),
    "webhook.disabled": EventType(_("Webhook disabled"), "webhook: id, number, name, url, reason"),
}

_MARKETING: Final = (
    "message.sent",
    "message.delivered",
    "message.failed",
    "campaign.started",
    "campaign.completed",
    "campaign.failed",
    "contact.created",
    "contact.updated",
    "contact.deleted",
    "sub_account.created",
    "sub_account.suspended",
    "blacklist.added",
)
_ALL: Final = {name: (name,) for name in EVENT_TYPES}
# Surface -> its name of an event -> the types that it stands for. Documented names first; the rest is extra.
SURFACE_EVENTS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    Surface.GATEWAY: {
        "message.received": ("message.received",),
        "message.status": ("message.sent", "message.delivered", "message.read", "message.failed"),
        "template.status_changed": ("template.status_changed",),
        "channel.status_changed": ("channel.status_changed",),
        "webhook.disabled": ("webhook.disabled",),
    },
    Surface.MARKETING: {name: (name,) for name in _MARKETING},
    Surface.TRANSACTIONAL: _ALL,
    Surface.CRM: _ALL,
    Surface.WORKSPACE: _ALL,
}


def surface_events(surface: str) -> dict[str, str]:
    """The surface's event names with labels in the active language, in the documented order."""
    labels = {"message.status": _("Message sent, delivered, read or failed")}
    return {name: str(labels.get(name) or EVENT_TYPES[name].label) for name in SURFACE_EVENTS[surface]}


def types_of(surface: str, names: list[str]) -> list[str]:
    """The event types behind a surface's `names`, sorted. Raises `InvalidInput` on `events` for what it does not offer.

    `*` stands for everything that the surface offers, also what is added later at the next save.
    """
    if not names:
        raise InvalidInput(
            "invalid_events", gettext("Choose at least one event."), {"events": gettext("choose at least one event")}
        )
    offered = SURFACE_EVENTS[surface]
    unknown = [name for name in names if name not in offered and name != EVERYTHING]
    if unknown:
        text = gettext("unknown: %(unknown)s; known: %(known)s") % {
            "unknown": ", ".join(sorted(unknown)[:5]),
            "known": ", ".join(offered),
        }
        raise InvalidInput(
            "invalid_events",
            gettext("Unknown event %(name)s.") % {"name": repr(sorted(unknown)[0][:60])},
            {"events": text},
        )
    chosen = list(offered) if EVERYTHING in names else names
    return sorted({kind for name in chosen for kind in offered[name]})


def surface_name(surface: str, event_type: str) -> str:
    """What `surface` calls the event type; the type itself when it has no name of its own for it."""
    offered = SURFACE_EVENTS[surface]
    if event_type in offered:
        return event_type
    return next((name for name, types in offered.items() if event_type in types), event_type)
