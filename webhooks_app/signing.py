"""Signatures of deliveries: Standard Webhooks (https://www.standardwebhooks.com) and a plain HMAC of the body.

The test vector is in docs/webhooks.md.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import string
from collections.abc import Sequence
from typing import Final

from django.utils.translation import gettext as _

from tenants.errors import InvalidInput
from webhooks_app.catalogue import Surface

PREFIX: Final = "whsec_"
_LENGTH: Final = (8, 200)
_LETTERS: Final = string.ascii_letters + string.digits


def secret_generate(surface: str) -> str:
    """A new secret: 32 letters and digits for marketing, as its document says; else 24 bytes as `whsec_` + base64."""
    if surface == Surface.MARKETING:
        return "".join(secrets.choice(_LETTERS) for _ in range(32))
    return PREFIX + base64.b64encode(secrets.token_bytes(24)).decode()


def secret_check(secret: str) -> str:
    """`secret` when it can be used. Raises `InvalidInput` on `secret`."""
    shortest, longest = _LENGTH
    if not shortest <= len(secret) <= longest or not (secret.isascii() and secret.isprintable()):
        text = _("%(least)s to %(most)s printable ASCII characters") % {"least": shortest, "most": longest}
        raise InvalidInput("invalid_secret", _("A secret has %(text)s.") % {"text": text}, {"secret": text})
    if secret.startswith(PREFIX):
        try:
            standard_key(secret)
        except binascii.Error as error:
            text = _("after %(prefix)s base64 is expected") % {"prefix": PREFIX}
            raise InvalidInput(
                "invalid_secret", _("The secret is not valid: %(text)s.") % {"text": text}, {"secret": text}
            ) from error
    return secret


def standard_key(secret: str) -> bytes:
    """The key of the Standard Webhooks signature: what is behind `whsec_`, decoded; any other secret as it is."""
    if secret.startswith(PREFIX):
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    return secret.encode()


def standard_signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """`v1,` and base64 HMAC-SHA256 of `id.timestamp.body`."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(standard_key(secret), signed, hashlib.sha256)).decode()


def body_signature(secret: str, body: bytes) -> str:
    """Hex HMAC-SHA256 of the raw body with the secret's characters as the key."""
    return hmac.digest(secret.encode(), body, hashlib.sha256).hex()


def signed_headers(
    *, secrets_valid: Sequence[str], message_id: str, timestamp: int, event: str, body: bytes
) -> dict[str, str]:
    """The headers of one attempt. `secrets_valid`: the current secret first, then one that is being phased out.

    `timestamp` in whole seconds since 1970. `webhook-signature` carries one signature for each secret.
    """
    current, *old = secrets_valid
    headers = {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(
            standard_signature(secret, message_id, timestamp, body) for secret in secrets_valid
        ),
        "x-webhook-signature": body_signature(current, body),
        "x-webhook-event": event,
    }
    if old:
        headers["x-webhook-signature-previous"] = body_signature(old[0], body)
    return headers
