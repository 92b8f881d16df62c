"""Texts of the drivers' settings, named here so that the catalogues hold them: drivers know nothing of Django.

A test compares them with the registered drivers.
"""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_noop as _

DRIVER_TEXTS: Final = (
    _("People may answer for 7 days"),
    _("Only when Meta has approved the Human Agent feature for the app. Machines have 24 hours all the same."),
    _("The token comes from"),
    _("A token of Instagram's own login is valid for 60 days and only there."),
    _("the Facebook page of the account"),
    _("Instagram's own login"),
    _("How the gateway is spoken to"),
    _("Take the one that is closest; the details below change it."),
    _("JSON over HTTP"),
    _("Form over HTTP"),
    _("Kannel (sendsms)"),
    _("Gateway's address"),
    _("The full address that messages are sent to. Not needed for the sandbox."),
    _("Sender"),
    _("What people see: a number, a short code, or up to 11 letters and digits. Empty: the number above."),
    _("User name"),
    _("At the gateway, if it wants one."),
    _("Details"),
    _("JSON with what is different from the chosen way; docs/sms.md explains it. Empty: nothing."),
)
