"""The settings of an Instagram channel, read from `Channel.config`; its token is a secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypedDict

from messaging.drivers.base import ChannelSetting

INSTAGRAM_LOGIN: Final = "instagram"
LOGIN_SETTING: Final = ChannelSetting(
    "login",
    "The token comes from",
    "A token of Instagram's own login is valid for 60 days and only there.",
    (("page", "the Facebook page of the account"), (INSTAGRAM_LOGIN, "Instagram's own login")),
)


class InstagramConfig(TypedDict, total=False):
    """`login`: with which of Meta's logins the token was made, that of the page (default) or of Instagram itself.

    `human_agent`: Meta has approved the feature, so that people may answer for seven days. `instagram_graph_url` is
    added by the platform: where tokens of Instagram's own login are valid.
    """

    graph_version: str
    login: Literal["page", "instagram"]
    human_agent: bool
    instagram_graph_url: str


def is_instagram_login(config: Mapping[str, Any]) -> bool:
    """Whether the channel's token comes from Instagram's own login."""
    return config.get("login") == INSTAGRAM_LOGIN
