"""Webhooks of an Instagram account: what Meta calls them. How events are read is the same as on Messenger."""

from __future__ import annotations

import re
from typing import Final

from messaging.drivers.base import AddressKind

OBJECT: Final = "instagram"
ROUTE: Final = "instagram_account"
ACCOUNT_ROUTE: Final = "instagram_page"
IGSID: Final = AddressKind("igsid", re.compile(r"[0-9]{5,32}"), "Instagram user id")
