"""What workers have stored about values that they refuse, in the language of the reader.

Services speak the language of who asks. Nobody asks a worker: what it stores (why a run waits, why a message failed) is
English, and read by programs. Such texts are named here so that they can be said when they are shown; those with values
in them are templates.
The reasons of providers' error codes are marked where their tables are.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_noop as _

REASONS: Final = (
    # values
    _("is required"),
    _("is taken"),
    _("is unknown"),
    _("is empty"),
    _("does not exist"),
    _("do not exist"),
    _("must be a text"),
    _("must be a number"),
    _("must be a number below 10^15"),
    _("must be a date, YYYY-MM-DD"),
    _("must be yes or no"),
    _("must be true or false"),
    _("must be active or inactive"),
    _("must be a number of days from 1 to 3650"),
    _("must be a list of 1 to 1000 texts"),
    _("must be a group's id"),
    _("must be a language code such as fr or pt_BR"),
    _("must be the name of a time zone such as Africa/Porto-Novo"),
    _("must be the code of a country, such as BJ"),
    _("is not an e-mail address"),
    _("is not a custom field"),
    _("is not a time zone"),
    # phone numbers
    _("is not a phone number"),
    _("is too long"),
    _("is too short"),
    _("must have 8 to 20 characters"),
    _("has an unknown country code"),
    _("does not have the length of a number of its country"),
    # imports
    _("has characters that cannot be read: choose another encoding"),
    _("cannot be read: a quotation mark may not be closed, or a cell is too long"),
    _("the plan has no room for another contact"),
    _("The file is gone."),
    # segments
    _("must be an object"),
    _("must have all, any, not, or field and op"),
    _("must be a list with at least one rule"),
    _("is not a field that can be filtered by"),
    _("The segment's rules cannot be used."),
    _("There is a segment of this name."),
    _("There is no such segment."),
    _("There is a group of this name."),
    _("There is a contact with this number already."),
    # campaigns
    _("A campaign needs a name."),
    _("The list is empty."),
    _("No contact is chosen."),
    _("None of these contacts exists."),
    _("must name existing groups"),
    _("the percentages must add up to 100"),
    _("quiet hours need a beginning and an end"),
    _("a winner needs a metric, a sample and a wait"),
    _("must be 1 to 99"),
    _("must be 1 to 100"),
    _("is not connected"),
    _("lies in the past"),
    _("The schedule has no day left."),
    _("Nobody is in the audience."),
    _("The campaign is paused or being changed; try again afterwards."),
    _("The campaign was cancelled: duplicate it."),
    _("A campaign that ran is kept for its results."),
    _("The campaign is not paused."),
    _("The campaign is being sent and cannot be changed."),
    _("The campaign was started at this very moment."),
    _("No message of this run failed."),
    _("Every message failed."),
    _("Nobody could be written to."),
    _("Not enough credits for the next recipients."),
    _("Not enough credits to try the failed messages again."),
    # when a channel is connected
    _("The provider did not answer. Try again in a moment."),
    _("This address is connected already, here or in another organisation."),
    _("Meta says that the token is not valid."),
    _("This link is for another type of channel."),
    # messages and their files
    _("Not sent: it would have arrived after its time limit."),
    _("The file could not be looked up."),
    _("The file is not there any more."),
    _("The file could not be given to the provider."),
    _("The file cannot be read now."),
    _("This kind of channel has no files by id."),
    _("The author took the message back."),
    _("The message that it was for was refused."),
    _("Meta did not deliver the message and gave no reason."),
    _("WhatsApp did not deliver the message and gave no reason."),
    _("The gateway reports that it was not delivered."),
    # SMS gateways, as their presets have them
    _("Kannel has no connection to the operator at the moment."),
    _("Kannel has no route to this number."),
    _("Kannel misses the number of the receiver."),
    _("Kannel needs a sender: set one for the channel."),
    _("Kannel refuses the user name or password."),
    _("The account at the gateway has no credit left."),
    _("The gateway or the operator is not available."),
    _("The gateway refuses the user name or password."),
    _("The gateway refuses the user name, password or token."),
    _("The gateway says that this number does not exist."),
    _("The gateway takes no more messages at the moment."),
    _("The operator could not deliver the message."),
    _("The operator refused the message."),
    _("The person or their operator has blocked messages of this sender."),
    _("The phone could not be reached for too long."),
    _("This number is on Kannel's own black list."),
    # webhooks out
    _("No answer."),
    _("The receiver says that it is gone for good (HTTP 410)."),
    _("The event is not kept any more."),
    _("The payload is not kept any more."),
    # news of an account
    _("A customer has a new number."),
    _("A customer has a new user id."),
    _("A customer has stopped marketing messages."),
    _("A customer allows marketing messages."),
    _("Meta has disabled the account."),
    _("Meta has reinstated the account: its channels can be resumed."),
)
TEMPLATES: Final = (
    _("%(names)s is no variable"),
    _("%(names)s is no variable: use %(known)s"),
    _("must be one of %(choices)s"),
    _("must be at most %(most)s"),
    _("must be %(least)s to %(most)s"),
    _("must have at most %(most)s characters"),
    _("must have at most %(most)s characters each"),
    _("must have %(least)s to %(most)s characters"),
    _("there must be %(least)s to %(most)s"),
    _("is nested more than %(most)s deep"),
    _("is one test too many: there may be %(most)s"),
    _("cannot be stored: %(error)s"),
    _("The text cannot be sent: %(error)s"),
    _("The campaign has ended: it is %(state)s."),
    _("The campaign is %(state)s already."),
    _("The file cannot be imported: it %(reason)s."),
    _("The columns cannot be read like this: %(reason)s."),
    _("Missed. %(reason)s"),
    _("%(reason)s Meta says: %(details)s"),
    _("Meta did not deliver the message: %(details)s"),
    _("WhatsApp did not deliver the message: %(details)s"),
    _("The gateway refused the message (%(code)s)."),
    _("Files of kind %(kind)s are not taken here."),
    _("The file is larger than %(most)s bytes."),
    _("The provider answered HTTP %(status)s instead of the file."),
    _("The address answers with a redirect (HTTP %(status)s), which is not followed. Register the final address."),
    _("The receiver answered with HTTP %(status)s."),
    _("No connection: %(error)s"),
    _("The connection broke: %(error)s"),
    _("Meta restricts the account: %(kinds)s."),
    _("Meta restricts the account until %(time)s: %(kinds)s."),
    _("Meta will disable the account on %(day)s."),
    _("Meta reports a violation of its policies: %(kind)s."),
    _("The account may write first to %(most)s people a day."),
    _("The quality of %(name)s is now %(quality)s."),
    _("The text of %(name)s has changed."),
    _("Template %(name)s is now %(state)s."),
    _("Template %(name)s is now %(state)s: %(details)s"),
    _("Template %(name)s is now %(state)s, it was %(before)s."),
    _("Template %(name)s is now %(state)s, it was %(before)s: check price and consent."),
)
_PLACE: Final = re.compile(r"%\\\((\w+)\\\)s")


def reason_said(text: str) -> str:
    """`text` of a service in the language of the reader; as it is where we have no words for it.

    Reasons that were joined by "; ", and those that follow the name of a column, are said one by one.
    """
    if not text or (get_language() or "en").startswith("en"):
        return text
    parts = text.split("; ") if gettext(text) == text else [text]
    return "; ".join(_part_said(part) for part in parts)


def _part_said(text: str) -> str:
    said = gettext(text)
    if said != text:
        return said
    for pattern, template in _patterns():
        found = pattern.fullmatch(text)
        if found is not None:
            return gettext(template) % {name: _part_said(value) for name, value in found.groupdict().items()}
    named = next((known for known in REASONS if text.endswith(f" {known}")), None)
    return text if named is None else text.removesuffix(named) + gettext(named)


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """The templates as patterns, those with the most words of their own first."""
    ordered = sorted(TEMPLATES, key=lambda template: -len(re.sub(r"%\(\w+\)s", "", template)))
    return [(re.compile(_PLACE.sub(r"(?P<\1>.+)", re.escape(template))), template) for template in ordered]
