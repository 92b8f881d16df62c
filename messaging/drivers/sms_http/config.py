"""The settings of an SMS channel, read from `Channel.config`; passwords and tokens are secrets."""

from __future__ import annotations

from typing import Any, TypedDict


class SmsConfig(TypedDict, total=False):
    """`gateway_url`: where messages are sent to. `sender`: what people see, digits or up to 11 characters.

    `preset`: the name of a file in `presets/`. `definition`: what is different from it, in the form of those files.
    """

    gateway_url: str
    preset: str
    sender: str
    username: str
    definition: dict[str, Any]
