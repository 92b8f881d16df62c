"""Tokens of Instagram's own login: valid for 60 days, exchanged for fresh ones from the second day on.

Source: Meta's reference of `GET /refresh_access_token` (Instagram platform): the token must be at least 24 hours old
and must not have ended; `expires_in` is in seconds.
"""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar
from urllib.parse import urlencode

import orjson

from messaging.drivers.base import Ambiguous, ChannelInfo, HttpRequest, HttpResponse
from messaging.drivers.instagram.config import is_instagram_login
from messaging.drivers.meta.chat_errors import ERRORS
from messaging.drivers.refreshing import FreshToken, RefreshDriver


class InstagramTokens(RefreshDriver):
    """Tokens of a page's login do not end by themselves."""

    refresh_age: ClassVar[timedelta] = timedelta(hours=24)

    def has_ending_token(self, channel: ChannelInfo) -> bool:
        return is_instagram_login(channel.config)

    def build_refresh(self, channel: ChannelInfo) -> HttpRequest:
        """GET `/refresh_access_token`, without a version."""
        host = channel.config.get("instagram_graph_url") or channel.base_url
        query = {"grant_type": "ig_refresh_token", "access_token": channel.secrets.get("access_token", "")}
        return HttpRequest("GET", f"{host}/refresh_access_token?{urlencode(query)}")

    def read_refresh(self, response: HttpResponse) -> FreshToken:
        try:
            answer = orjson.loads(response.body)
        except orjson.JSONDecodeError:
            raise ERRORS.in_response(response) from None
        if not isinstance(answer, dict) or "error" in answer or not 200 <= response.status < 300:
            raise ERRORS.in_response(response)
        token, seconds = answer.get("access_token"), answer.get("expires_in")
        if not isinstance(token, str) or not token or not isinstance(seconds, int) or not 0 < seconds < 10**9:
            raise Ambiguous(f"HTTP {response.status} without a token and its time")
        return FreshToken(token, timedelta(seconds=seconds))
