"""What a gateway's answer means: taken, refused, or not to be told."""

from __future__ import annotations

from typing import Any, Final

import orjson

from messaging.drivers.base import Ambiguous, HttpResponse, Scope, SendError, Sent
from messaging.drivers.sms_http.definition import Definition

# More of an answer is not looked at.
_READ: Final = 16_384
_WORDS: Final = 200
# The request may have been worked on although the answer says that it took too long.
_UNCLEAR: Final = frozenset({408, 425})
# The address or the proof of identity is wrong: every message would meet the same.
_WRONG_SET_UP: Final = {
    401: "The gateway refuses the user name, password or token.",
    403: "The gateway refuses the user name, password or token.",
    404: "The gateway's address leads nowhere (HTTP 404).",
    405: "The gateway does not take this kind of request (HTTP 405).",
    407: "A proxy in front of the gateway wants a password (HTTP 407).",
}
_BUSY: Final = SendError(
    "http_429", "The gateway takes no more messages at the moment.", retryable=True, scope=Scope.CHANNEL
)


def answer_read(definition: Definition, response: HttpResponse) -> Sent:
    """Read an answer by the rules of a definition. Raises `SendError` or `Ambiguous`."""
    text = response.body[:_READ].decode("utf-8", "replace")
    data = _json(response.body)
    code = _found(definition.error_code, text, data)
    is_good = 200 <= response.status < 300
    if is_good and (definition.success is None or definition.success.holds(text, data)):
        if code and definition.success is None:
            raise _refusal(definition, code, text, data)
        return Sent(provider_id=_found(definition.message_id, text, data)[:128])
    known = definition.error(code, _found(definition.error_text, text, data)) if code else None
    known = known or definition.error(f"http_{response.status}", "")
    if known is not None:
        raise known
    if is_good and code:
        raise _refusal(definition, code, text, data)
    if is_good:
        raise Ambiguous(f"HTTP {response.status} with an answer that says neither yes nor no: {text[:_WORDS]!r}")
    raise _by_status(definition, response.status, code, text, data)


def _refusal(definition: Definition, code: str, text: str, data: Any) -> SendError:
    words = _found(definition.error_text, text, data)[:_WORDS]
    known = definition.error(code, words)
    return known or SendError(code[:40], words or f"The gateway refused the message ({code[:40]}).")


def _by_status(definition: Definition, status: int, code: str, text: str, data: Any) -> Exception:
    if status >= 500 or status < 300 or status in _UNCLEAR:
        return Ambiguous(f"HTTP {status} from the gateway")
    if status < 400:
        where = f"The gateway's address leads elsewhere (HTTP {status}); redirects are not followed."
        return SendError(f"http_{status}", where, pauses=True)
    if status == 429:
        return _BUSY
    if status in _WRONG_SET_UP:
        return SendError(code[:40] or f"http_{status}", _WRONG_SET_UP[status], pauses=True)
    return _refusal(definition, code or f"http_{status}", text, data)


def _found(finder: Any, text: str, data: Any) -> str:
    return "" if finder is None else (finder.find(text, data) or "").strip()


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
