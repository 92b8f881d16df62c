"""Identifiers in Meta's forms: message ids, business-scoped user ids, numeric object ids."""

from __future__ import annotations

import base64
import hashlib
import itertools
import secrets

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

_BOOT = secrets.token_hex(4).upper()
_outgoing = itertools.count(1)
_incoming = itertools.count(1)
_objects = itertools.count(secrets.randbelow(10**9))
_LETTERS = bytes.maketrans(b"+/", b"xy")


def wamid_out(phone: str) -> str:
    """A message id for a message to `phone` (digits): base64 of a small frame that holds phone and a unique number."""
    return _wamid(phone, b"\x11", f"{_BOOT}{next(_outgoing):010X}")


def wamid_in(phone: str) -> str:
    """A message id for a message from `phone`; its unique part is 20 characters and starts with 3A."""
    return _wamid(phone, b"\x12", f"3A{_BOOT}{next(_incoming):010X}")


def _wamid(phone: str, direction: bytes, unique: str) -> str:
    frame = b"".join(
        (
            b"\x1c\x18",
            bytes((len(phone),)),
            phone.encode("ascii"),
            b"\x15\x02\x00",
            direction,
            b"\x18",
            bytes((len(unique),)),
            unique.encode("ascii"),
            b"\x00",
        )
    )
    return "wamid." + base64.b64encode(frame).decode("ascii")


def bsuid_for(phone: str) -> str:
    """The business-scoped user id of a simulated phone: country code, dot, 16 letters and digits; stable."""
    digest = hashlib.blake2b(phone.encode("ascii"), digest_size=12, person=b"griot-bsuid").digest()
    return f"{_country(phone)}.{base64.b64encode(digest).translate(_LETTERS).decode('ascii')}"


def hidden_phone_for(bsuid: str) -> str:
    """The number inside the message ids of a user whose phone nobody knows: stable, never shown."""
    digest = hashlib.blake2b(bsuid.encode("utf-8"), digest_size=8).digest()
    return "1555" + str(int.from_bytes(digest, "big") % 10**7).zfill(7)


def display_for(phone_number_id: str) -> str:
    """The display number (digits) of a business number that was never configured; stable."""
    digest = hashlib.blake2b(phone_number_id.encode("ascii"), digest_size=8).digest()
    return "1555" + str(int.from_bytes(digest, "big") % 10**7).zfill(7)


def object_id(prefix: str) -> str:
    """A new 16-digit id for a media file or a template."""
    return f"{prefix}{next(_objects) % 10 ** (16 - len(prefix)):0{16 - len(prefix)}d}"


def formatted(display: str) -> str:
    """The display number as REST shows it: `+1 555-012-3400`; numbers outside +1 only get their plus."""
    if len(display) == 11 and display.startswith("1"):
        return f"+1 {display[1:4]}-{display[4:7]}-{display[7:]}"
    return "+" + display


def _country(phone: str) -> str:
    for length in (1, 2, 3):
        regions = COUNTRY_CODE_TO_REGION_CODE.get(int(phone[:length]))
        if regions and regions[0] != "001":
            return regions[0]
    return "US"
