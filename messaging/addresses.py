"""What callers give as a recipient becomes an address of the channel's provider, by the kinds that its driver names."""

from __future__ import annotations

from django.utils.translation import gettext as _

from contacts.phones import BadPhone, phone_normalise
from messaging.drivers.base import PHONE, Driver
from tenants.errors import InvalidInput


def address_normalise(*, driver: Driver, value: str, country: str) -> str:
    """`value` as the provider knows it: E.164 digits without +, or the person's id. Raises `InvalidInput`.

    Ids are taken as they are; what looks like none of the driver's ids is read as a phone number of `country`, when the
    provider knows people by phone at all.
    """
    text = value.strip()
    for kind in driver.address_kinds:
        if kind is not PHONE and kind.pattern.fullmatch(text):
            return text
    if PHONE not in driver.address_kinds:
        reason = _("is not a %(kind)s") % {"kind": driver.address_kinds[0].label}
        raise InvalidInput("invalid_recipient", _("The recipient %(reason)s.") % {"reason": reason}, {"to": reason})
    try:
        return phone_normalise(text, country)
    except BadPhone as error:
        text = _("The number %(problem)s.") % {"problem": error}
        raise InvalidInput("invalid_phone", text, {"to": str(error)}) from error
