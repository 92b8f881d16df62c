"""The documented rates: 60 requests a minute for sending, 120 for everything else, per token."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest

from api.rate_limit import RateState, rate_take
from config.middleware import client_address
from tenants.services.tokens import Bearer

SENDING: Final = ("send", 60)
OTHERS: Final = ("all", 120)


def token_rate(bearer: Bearer, limit: tuple[str, int]) -> RateState:
    """Count a request of this token."""
    name, per_minute = limit
    return rate_take(bucket=f"token:{bearer.token_id}:{name}", limit=per_minute)


def stranger_rate(request: HttpRequest) -> RateState:
    """Count a request without a token that works, by its address; apart from logins, which it must not lock out."""
    return rate_take(bucket=f"marketing-stranger:{client_address(request)}", limit=OTHERS[1])


def address_rate(request: HttpRequest) -> RateState:
    """Count a request of somebody who has no token yet, by their address."""
    return rate_take(bucket=f"marketing:{client_address(request)}", limit=OTHERS[1])
