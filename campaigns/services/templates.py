"""What a change of a template means for campaigns: those that use it stop, with the reason."""

from __future__ import annotations

from collections.abc import Sequence

from campaigns.services.control import campaigns_hold
from messaging.models import Channel
from messaging.services.template_changes import TemplateChange, template_listener


@template_listener
def templates_changed(changes: Sequence[TemplateChange]) -> None:
    """Hold the campaigns of every channel of the account whose template may not be sent, or costs something else."""
    for change in changes:
        reason = change.hold_reason
        if not reason:
            continue
        channels = Channel.objects.filter(kind=change.kind, account_id=change.account_id)
        for channel_id in channels.values_list("pk", flat=True):
            campaigns_hold(channel_id=channel_id, template_name=change.name, language=change.language, reason=reason)
