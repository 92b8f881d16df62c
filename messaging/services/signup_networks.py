"""What the hosted setup page can connect: the networks with a log-in dialog that this installation has configured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.utils.translation import gettext as _

from messaging.drivers.connecting import PAGES_DIALOG, WHATSAPP_DIALOG, ConnectDriver, Dialog
from messaging.drivers.registry import drivers
from tenants.errors import InvalidInput

# How people call them, in the order in which they are offered.
NETWORK_LABELS: Final[dict[str, str]] = {"WHATSAPP": "WhatsApp", "FACEBOOK": "Messenger", "INSTAGRAM": "Instagram"}


@dataclass(frozen=True, slots=True)
class SignupNetwork:
    """One button of the page. `config_id` is the dialog's configuration at Meta, "" in the sandbox."""

    network: str
    label: str
    dialog: Dialog
    config_id: str


def signup_networks(*, is_sandbox: bool) -> dict[str, SignupNetwork]:
    """By network, those that can be connected; the sandbox plays all dialogs, Meta's need a configuration each."""
    has_app = bool(settings.META_APP_ID and settings.META_APP_SECRET)
    configured = {WHATSAPP_DIALOG: settings.META_CONFIG_ID, PAGES_DIALOG: settings.META_PAGE_CONFIG_ID}
    dialogs = {
        driver.network: driver.signup_dialog
        for driver in drivers().values()
        if isinstance(driver, ConnectDriver) and driver.signup_dialog is not None
    }
    offered = {}
    for network, label in NETWORK_LABELS.items():
        dialog = dialogs.get(network)
        if dialog is None:
            continue
        config_id = "" if is_sandbox else configured[dialog]
        if is_sandbox or (has_app and config_id):
            offered[network] = SignupNetwork(network, label, dialog, config_id)
    return offered


def signup_network(network: str, *, is_sandbox: bool) -> SignupNetwork:
    """One of them. Raises `InvalidInput` network_not_supported."""
    found = signup_networks(is_sandbox=is_sandbox).get(network)
    if found is None:
        text = _("Channels of %(network)s cannot be connected here.") % {"network": network}
        raise InvalidInput("network_not_supported", text, {"type": _("cannot be connected here")})
    return found
