"""JSON in and out of the published APIs through orjson: three to five times faster than the standard library."""

from __future__ import annotations

from typing import Any

import orjson
from django.conf import settings
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer


class BodyTooLarge(APIException):
    """413: the body is larger than `REQUEST_MAX_BYTES`."""

    status_code = 413
    default_code = "body_too_large"
    default_detail = "The request body is too large."


class OrjsonParser(BaseParser):
    """Reads a UTF-8 JSON body; broken JSON is a 400 that says where, an oversized one a 413."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise BodyTooLarge(f"The request body is larger than {limit} bytes.")
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ParseError(
                f"The body is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})."
            ) from error


class OrjsonRenderer(BaseRenderer):
    """Writes UTF-8 JSON; UUIDs and datetimes as RFC 4122 and RFC 3339 text."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        if data is None:
            return b""
        return orjson.dumps(data, default=str, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)
