"""The error codes of the WhatsApp Cloud API: what each one means to people, and what the engine does about it.

Codes and actions: Meta's error reference for the Cloud API, and the practice of clients that have run for years.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from messaging.drivers.base import Scope
from messaging.drivers.meta.errors import ErrorTable, Rule, never, pause, retry
from messaging.drivers.texts import marked as _

DAY: Final = 86_400.0
_TOKEN = pause(_("The access token is invalid or has expired. Enter a new one."))
_PERMISSION = pause(_("The access token may not send from this number. Check its permissions."), detailed=True)
_NO_OBJECT = pause(_("Meta does not know this phone number id, or the access token may not use it."))
_CALLS = retry(_("Too many calls to Meta. They go on when Meta allows it."), scope=Scope.CHANNEL, by_usage=True)
_PIN = pause(_("The number's registration at Meta failed: its PIN or its verification is wrong."), detailed=True)
_FLOW_SYNC = never(_("Meta refused the message for its marketing or payment terms."), detailed=True)

# (code, subcode or None) -> rule; a row with the subcode wins.
RULES: Final[Mapping[tuple[int, int | None], Rule]] = {
    (0, None): _TOKEN,
    (190, None): _TOKEN,
    (190, 458): pause(_("The app was removed from the business. Connect the number again.")),
    (190, 460): pause(_("The access token ended because a password changed. Enter a new one.")),
    (190, 463): pause(_("The access token has expired. Enter a new one.")),
    (190, 467): pause(_("The access token has been revoked. Enter a new one.")),
    (3, None): _PERMISSION,
    (10, None): _PERMISSION,
    (1, None): retry(_("Meta could not read the request."), at_most=2, detailed=True),
    (2, None): retry(_("Meta is down for a moment.")),
    (4, None): _CALLS,
    (80007, None): _CALLS,
    (613, None): _CALLS,
    (33, None): _NO_OBJECT,
    (100, 33): _NO_OBJECT,
    (100, None): never(_("Meta does not accept a value of this message."), detailed=True),
    (368, None): pause(_("Meta has blocked this account for a while, for breaking its policies.")),
    (130403, None): never(_("The customer has blocked this business."), scope=Scope.CONTACT, counts_as="quality"),
    # The bucket of 80 messages a second refills within a second.
    (130429, None): retry(_("The number's rate at Meta is used up."), scope=Scope.CHANNEL, after=1.0),
    (130472, None): never(
        _("Meta leaves this customer out of marketing messages for an experiment."), scope=Scope.CONTACT
    ),
    (130497, None): never(_("This business may not write to customers in this country."), scope=Scope.CONTACT),
    (131000, None): retry(_("Meta had an error of its own.")),
    (131005, None): pause(_("Meta denies access. Check the permissions of the access token.")),
    (131008, None): never(_("A required value of the message is missing."), detailed=True),
    (131009, None): never(_("A value of the message is not valid."), detailed=True),
    (131016, None): retry(_("Meta is not available for a moment.")),
    (131021, None): never(_("The recipient is the sending number itself."), scope=Scope.CONTACT),
    (131026, None): never(
        _(
            "The message cannot be delivered: the number may not be on WhatsApp, use an old version or have "
            "blocked you."
        ),
        scope=Scope.CONTACT,
    ),
    (131030, None): never(_("A test number may write only to the recipients listed at Meta."), scope=Scope.CONTACT),
    (131031, None): pause(_("Meta has locked the account. See the account's page at Meta.")),
    (131037, None): pause(_("Meta has not approved the number's display name yet.")),
    (131042, None): pause(_("There is a problem with the payment method of the account at Meta.")),
    (131045, None): pause(_("The number is not registered correctly at Meta. Register it again.")),
    (131047, None): never(
        _("The customer has not written in the last 24 hours. Send an approved template instead."), scope=Scope.CONTACT
    ),
    (131048, None): never(
        _("Meta limits this number because too many messages were reported or blocked."),
        scope=Scope.CHANNEL,
        counts_as="spam",
    ),
    (131064, None): never(
        _("Meta limits this account's messages for how they were classified."), scope=Scope.CHANNEL, counts_as="spam"
    ),
    # Meta: no attempt within 24 hours, each one makes it worse.
    (131049, None): Rule(
        _("The customer has received enough marketing messages for now. Meta allows no new attempt within a day."),
        retryable=True,
        scope=Scope.CONTACT,
        retry_after=DAY,
        max_retries=2,
        counts_as="quality",
    ),
    (131050, None): never(
        _("The customer has stopped marketing messages from this business."),
        scope=Scope.CONTACT,
        opt_out=True,
        counts_as="quality",
    ),
    (131051, None): never(_("WhatsApp does not support this type of message.")),
    (131052, None): never(_("The file that the customer sent could not be downloaded."), detailed=True),
    (131053, None): retry(_("Meta could not fetch or read the media file."), at_most=1, detailed=True),
    (131055, None): never(_("Meta does not allow this method here."), detailed=True),
    # 4^X seconds after the X-th attempt, for this recipient only: the engine's back-off of scope CONTACT.
    (131056, None): retry(_("Too many messages to this customer in a short time."), scope=Scope.CONTACT),
    (131057, None): retry(_("The account is in maintenance for a moment."), scope=Scope.CHANNEL, after=60.0),
    (131059, None): never(_("The list at Meta has changed. Load it again.")),
    (131060, None): never(_("The message is no longer available at Meta.")),
    (131062, None): never(_("This message needs a phone number; the customer is known by a user name only.")),
    (131063, None): never(_("Marketing messages are disabled for this account.")),
    (132000, None): never(_("The number of template variables is wrong."), detailed=True),
    (132001, None): never(_("The template does not exist in this language or is not approved yet."), detailed=True),
    (132005, None): never(_("The text is too long after filling in the variables."), detailed=True),
    (132007, None): never(_("The template breaks a policy of Meta."), detailed=True),
    (132012, None): never(_("A template variable has the wrong format."), detailed=True),
    (132015, None): never(_("Meta has paused the template for low quality."), counts_as="template_pause"),
    (132016, None): never(_("Meta has disabled the template for good."), counts_as="template_pause"),
    (132018, None): never(_("A template variable has characters that are not allowed."), detailed=True),
    (132068, None): never(_("Meta has blocked the flow.")),
    (132069, None): retry(_("Meta slows down this flow.")),
    (133000, None): retry(_("Meta has not finished an earlier deregistration of the number.")),
    (133004, None): retry(_("Meta's registration server is not available for a moment.")),
    (133005, None): _PIN,
    (133006, None): _PIN,
    (133008, None): _PIN,
    (133009, None): _PIN,
    (133010, None): pause(_("The number is not registered at Meta. Register it.")),
    (133015, None): pause(_("The number was deleted a moment ago. Wait five minutes and register it again.")),
    (133016, None): pause(_("The number was registered too often. Meta allows it again after 72 hours.")),
    (134011, None): _FLOW_SYNC,
    (134100, None): _FLOW_SYNC,
    (134101, None): _FLOW_SYNC,
    (134102, None): _FLOW_SYNC,
    (135000, None): never(_("Meta refused the message without saying why."), detailed=True),
    (137000, None): never(_("The customer's identity has changed and must be confirmed again."), scope=Scope.CONTACT),
}

ERRORS: Final = ErrorTable(RULES, _PERMISSION, "WhatsApp did not deliver the message")
