"""What happens when a template changes: the event, and whoever registered is told, in the transaction of the change.

Apps above this one (campaigns) register here, so that messaging need not know them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from messaging.models import Channel, MessageTemplate
from webhooks_app.services.events import NewEvent, events_publish


@dataclass(frozen=True, slots=True)
class TemplateChange:
    """A template before and after. `old_status` is "" for one that is new here."""

    template_id: int
    uuid: UUID
    kind: str
    account_id: str
    provider_id: str
    name: str
    language: str
    old_status: str
    new_status: str
    old_category: str
    new_category: str
    reason: str

    @property
    def is_new_status(self) -> bool:
        """Whether the status differs."""
        return self.old_status != self.new_status

    @property
    def stops_sending(self) -> bool:
        """Whether messages of it went out until now and do not any more."""
        approved = MessageTemplate.Status.APPROVED
        return self.old_status == approved and self.new_status != approved

    @property
    def is_new_category(self) -> bool:
        """Whether another price and other consent rules hold from now on."""
        return bool(self.old_category) and self.old_category != self.new_category

    @property
    def hold_reason(self) -> str:
        """Why campaigns that use it must stop, in words; "" when they need not."""
        name = f"{self.name} ({self.language})"
        if self.stops_sending:
            return f"Template {name} is {self.new_status}. {self.reason}".strip()
        if self.is_new_category:
            text = f"Template {name} is now {self.new_category}, it was {self.old_category}"
            return f"{text}: check price and consent."
        return ""


TemplateListener = Callable[[Sequence[TemplateChange]], None]
_listeners: list[TemplateListener] = []


def template_listener(listener: TemplateListener) -> TemplateListener:
    """Register what is called with every batch of changes, on the schema and in the transaction of the change."""
    if listener not in _listeners:
        _listeners.append(listener)
    return listener


def template_changes_tell(changes: Sequence[TemplateChange]) -> None:
    """Tell everybody who registered; an error of one undoes the change."""
    if changes:
        _publish([change for change in changes if change.is_new_status])
        for listener in _listeners:
            listener(changes)


def _publish(changes: Sequence[TemplateChange]) -> None:
    """One event for each channel that may send the template."""
    if not changes:
        return
    channels = Channel.objects.select_related("customer").filter(
        kind__in={change.kind for change in changes}, account_id__in={change.account_id for change in changes}
    )
    events_publish(
        events=[
            NewEvent(
                "template.status_changed",
                {"channel": _channel_data(channel), "template": _template_data(change)},
                key=str(change.uuid),
                channel_id=channel.pk,
                is_test=channel.is_sandbox,
            )
            for change in changes
            for channel in channels
            if (channel.kind, channel.account_id) == (change.kind, change.account_id)
        ]
    )


def _channel_data(channel: Channel) -> dict[str, Any]:
    return {
        "id": str(channel.uuid),
        "reference": channel.reference,
        "number": channel.pk,
        "name": channel.name,
        "kind": channel.kind,
        "address": channel.address,
        "is_sandbox": channel.is_sandbox,
        "customer_id": str(channel.customer.uuid) if channel.customer else None,
    }


def _template_data(change: TemplateChange) -> dict[str, Any]:
    return {
        "id": change.provider_id,
        "name": change.name,
        "language": change.language,
        "category": change.new_category,
        "old_status": change.old_status,
        "new_status": change.new_status,
        "reason": change.reason,
    }
