"""Codes: random digits, and the keyed hash that is kept of them."""

from __future__ import annotations

import secrets
from typing import Final
from uuid import UUID

from django.utils.crypto import constant_time_compare, salted_hmac

MIN_LENGTH: Final = 4
MAX_LENGTH: Final = 10


def code_make(length: int) -> str:
    """`length` decimal digits from the system's random source; leading zeros are as likely as any other digit."""
    return f"{secrets.randbelow(10**length):0{length}d}"


def code_hash(otp_uuid: UUID, code: str) -> str:
    """HMAC-SHA256 in hex. The key comes from SECRET_KEY and the password's id: a stolen table cannot be searched
    for codes, and equal codes have different hashes."""
    return salted_hmac(f"otp.code.{otp_uuid}", code, algorithm="sha256").hexdigest()


def code_matches(otp_uuid: UUID, code: str, expected_hash: str) -> bool:
    """Whether `code` is the one behind `expected_hash`, in constant time."""
    return constant_time_compare(code_hash(otp_uuid, code), expected_hash)
