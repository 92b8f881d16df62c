"""What happens when a template changes: whoever registered is told, in the transaction of the change.

Apps above this one (campaigns, webhooks) register here, so that messaging need not know them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from messaging.models import MessageTemplate


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
        for listener in _listeners:
            listener(changes)
