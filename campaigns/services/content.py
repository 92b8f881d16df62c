"""What a campaign may say: checked against the channel's driver and templates before anything is queued."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext as _

from campaigns.personalisation import content_personalise, content_variables, texts_of, unknown_variables
from campaigns.rendering import value_limits
from messaging.drivers.base import ContentError
from messaging.drivers.registry import driver_of
from messaging.models import Channel
from messaging.services.content_refusals import content_refused
from messaging.services.template_guard import template_guard
from tenants.connection import connection
from tenants.errors import Conflict, InvalidInput

KNOWN: Final = "{nom}, {prenom}, {email}, {telephone}, {custom.field}"


def content_check(*, channel: Channel, content: Mapping[str, Any]) -> None:
    """Raises `InvalidInput`: unknown_variable, invalid_content, or what is wrong with the template."""
    if not isinstance(content, Mapping) or not isinstance(content.get("type"), str):
        raise InvalidInput("invalid_content", _("The message has no type."), {"content": _("must say its type")})
    unknown = [name for text in texts_of(content) for name in unknown_variables(text)]
    if unknown:
        names = ", ".join(f"{{{name}}}" for name in unknown)
        raise InvalidInput(
            "unknown_variable",
            _("%(names)s is no variable: use %(known)s") % {"names": names, "known": KNOWN},
            {"content": _("%(names)s is no variable") % {"names": names}},
        )
    driver = driver_of(channel.kind)
    try:
        value_limits(content, driver)
    except ContentError as error:
        refused = content_refused(error)
        raise InvalidInput(refused.code, refused.message, {**refused.fields, "content": refused.message}) from error
    template_guard(
        schema=connection.schema_name,
        kind=channel.kind,
        account_id=channel.account_id,
        driver=driver,
        content=content_personalise(content, dict.fromkeys(content_variables(content), "x")),
    )


def channel_refused(channel: Channel) -> Conflict:
    """The refusal of a campaign whose channel is not connected, with what is known of why."""
    text = _("The channel is %(state)s.") % {"state": channel.get_status_display().lower()}
    return Conflict(
        "channel_not_connected", f"{text} {channel.status_reason}".strip(), {"channel": _("is not connected")}
    )
