"""The request that sends one SMS, built from the templates of a definition."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

import orjson

from messaging.drivers.base import ChannelInfo, HttpRequest, Outgoing
from messaging.drivers.callbacks import CallbackAbout, callback_address
from messaging.drivers.sms_http.definition import Definition, Template
from messaging.sms_text import text_cost

_LEFT_OUT: Final = object()
_TEXT_FACTS: Final = frozenset({"coding", "encoding", "segments"})


def address_of_gateway(channel: ChannelInfo) -> str:
    """Where requests of the channel go: the gateway's address, or the sandbox's for this sender."""
    given = "" if channel.is_sandbox else str(channel.config.get("gateway_url") or "")
    return given or f"{channel.base_url}/sms/{quote(channel.external_id, safe='')}/messages"


def request_of(definition: Definition, channel: ChannelInfo, message: Outgoing) -> HttpRequest:
    """The complete request. Parameters without a value are left out."""
    values = _values(definition, channel, message)
    url = address_of_gateway(channel)
    query = _filled(definition.query, values)
    if query:
        url = f"{url}{'&' if '?' in url else '?'}{urlencode(query, quote_via=quote)}"
    headers = _filled(definition.headers, values)
    if definition.auth == "basic":
        pair = f"{values['username']}:{values['password']}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    body = b""
    if definition.body == "json":
        headers["Content-Type"] = "application/json"
        body = orjson.dumps(_json(definition.fields, values))
    elif definition.body == "form":
        headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
        fields = _json(definition.fields, values)
        body = urlencode({key: _plain(value) for key, value in fields.items()}, quote_via=quote).encode()
    return HttpRequest(definition.method, url, headers, body)


def _values(definition: Definition, channel: ChannelInfo, message: Outgoing) -> dict[str, str]:
    text = str(message.content["text"]["body"])
    secrets, config = channel.secrets, channel.config
    values = {
        "to": message.address,
        "to_plus": f"+{message.address}",
        "to_00": f"00{message.address}",
        "from": str(config.get("sender") or channel.address),
        "text": text,
        "id": message.uuid,
        "dlr_url": callback_address(channel, CallbackAbout.REPORT),
        "username": str(config.get("username") or ""),
        "password": str(secrets.get("password") or ""),
        "access_token": str(secrets.get("access_token") or ""),
        "coding": "",
        "encoding": "",
        "segments": "",
    }
    if definition.names & _TEXT_FACTS:
        cost = text_cost(text)
        values |= {
            "coding": definition.coding.get(cost.encoding, cost.encoding),
            "encoding": cost.encoding,
            "segments": str(cost.segments),
        }
    return values


def _filled(templates: Mapping[str, Template], values: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, template in templates.items() if (text := template.fill(values)) is not None}


def _json(value: Any, values: Mapping[str, str]) -> Any:
    """The fields with their templates filled; what has no value is left out of objects and lists."""
    if isinstance(value, Template):
        filled = value.fill(values)
        return _LEFT_OUT if filled is None else filled
    if isinstance(value, dict):
        entries = ((key, _json(entry, values)) for key, entry in value.items())
        return {key: entry for key, entry in entries if entry is not _LEFT_OUT}
    if isinstance(value, list):
        return [entry for entry in (_json(item, values) for item in value) if entry is not _LEFT_OUT]
    return value


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
