"""The error codes of Messenger and Instagram messaging, which share one send API.

Codes: Meta's error references of the Messenger Platform and the Instagram API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from messaging.drivers.base import Scope
from messaging.drivers.meta.errors import ErrorTable, Rule, never, pause, retry
from messaging.drivers.texts import marked as _

_TOKEN = pause(_("The access token is invalid or has expired. Enter a new one."))
_PERMISSION = pause(_("The access token may not send for this page or account. Check its permissions."), detailed=True)
_NO_OBJECT = pause(_("Meta does not know this page or account, or the access token may not use it."))
_CALLS = retry(_("Too many calls to Meta. They go on when Meta allows it."), scope=Scope.CHANNEL, by_usage=True)
_WINDOW = never(
    _("The customer has not written within the time in which this kind of message is allowed."), scope=Scope.CONTACT
)
_NO_USER = never(_("Meta knows no such person for this page or account."), scope=Scope.CONTACT)

RULES: Final[Mapping[tuple[int, int | None], Rule]] = {
    (0, None): _TOKEN,
    (190, None): _TOKEN,
    (190, 458): pause(_("The app was removed from the page. Connect it again.")),
    (190, 460): pause(_("The access token ended because a password changed. Enter a new one.")),
    (190, 463): pause(_("The access token has expired. Enter a new one.")),
    (190, 467): pause(_("The access token has been revoked. Enter a new one.")),
    (3, None): _PERMISSION,
    (10, None): _PERMISSION,
    (10, 1893063): _PERMISSION,
    # The closed window is told at once here, unlike on WhatsApp: 2018278 by Messenger, 2534022 by Instagram.
    (10, 2018278): _WINDOW,
    (10, 2534022): _WINDOW,
    (200, 2534041): pause(_("The account does not allow apps to read its messages. Allow it in Instagram's settings.")),
    (2, None): retry(_("Meta is down for a moment.")),
    (4, None): _CALLS,
    (32, None): _CALLS,
    (613, None): _CALLS,
    (33, None): _NO_OBJECT,
    (100, 33): _NO_OBJECT,
    (100, None): never(_("Meta does not accept a value of this message."), detailed=True),
    (100, 2018001): _NO_USER,
    (100, 2534014): _NO_USER,
    (368, None): pause(_("Meta has blocked this account for a while, for breaking its policies.")),
    (551, None): never(
        _("This person cannot be reached: they have left or do not take messages."), scope=Scope.CONTACT
    ),
}

ERRORS: Final = ErrorTable(RULES, _PERMISSION, "Meta did not deliver the message")
# An answer with this error means that the message went out all the same.
SENT_ALTHOUGH: Final = (1, 1357046)
