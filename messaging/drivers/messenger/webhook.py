"""Webhooks of a page: what Meta calls them. How events are read is the same as on Instagram."""

from __future__ import annotations

import re
from typing import Final

from messaging.drivers.base import AddressKind

OBJECT: Final = "page"
ROUTE: Final = "messenger_page"
ACCOUNT_ROUTE: Final = "messenger_account"
PSID: Final = AddressKind("psid", re.compile(r"[0-9]{5,32}"), "Messenger user id")
