"""The settings of a Messenger channel, read from `Channel.config`; the token of the page is a secret."""

from __future__ import annotations

from typing import TypedDict


class MessengerConfig(TypedDict, total=False):
    """`human_agent`: Meta has approved the feature, so that people may answer for seven days."""

    graph_version: str
    human_agent: bool
