"""The addresses that providers call: check, store raw, answer at once. Everything else happens in a task."""

from __future__ import annotations

from functools import partial
from typing import Final
from uuid import UUID

import structlog
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods
from kombu.exceptions import OperationalError

from messaging.drivers.callbacks import CallbackAbout
from messaging.inbound.callbacks import callback_channel
from messaging.inbound.signatures import (
    HEADER,
    Origin,
    origin_of_organization,
    origin_of_phone,
    origin_of_platform,
    signature_is_valid,
    token_is_valid,
)
from messaging.inbound.tasks import process
from tenants.models import InboundEvent

log = structlog.get_logger(__name__)

# Meta: a webhook has at most 3 MB.
BODY_BYTES: Final = 3 * 1024 * 1024
_CHALLENGE_LENGTH: Final = 256


@csrf_exempt
@require_http_methods(["GET", "POST"])
def meta(request: HttpRequest) -> HttpResponse:
    """The platform's own app: webhooks of all organisations."""
    return _answer(request, origin_of_platform())


@csrf_exempt
@require_http_methods(["GET", "POST"])
def organization(request: HttpRequest, org_id: UUID) -> HttpResponse:
    """Webhooks of one organisation."""
    return _answer(request, origin_of_organization(org_id))


@csrf_exempt
@require_http_methods(["GET", "POST"])
def phone(request: HttpRequest, org_id: UUID, phone_id: str) -> HttpResponse:
    """Webhooks of one number of one organisation."""
    return _answer(request, origin_of_phone(org_id, phone_id))


@csrf_exempt
@require_http_methods(["GET", "POST"])
def callback(request: HttpRequest, external_id: str, token: str, about: str) -> HttpResponse:
    """Reports and messages of gateways that speak plain HTTP, told apart from strangers by the token."""
    channel = callback_channel(external_id=external_id, token=token)
    if channel is None:
        # Without the path: a token that was nearly right stays out of the log.
        log.warning("callback_refused", about=about)
        return JsonResponse({"error": "wrong address"}, status=401)
    body = _body(request, channel.driver.callback_bytes)
    if body is None:
        return JsonResponse({"error": "the body is too large or was cut off"}, status=413)
    stored = channel.body(
        about=CallbackAbout(about),
        query=request.META.get("QUERY_STRING", ""),
        content_type=request.content_type or "",
        body=body,
    )
    event = InboundEvent.objects.create(organization_id=channel.organization_id, body=stored)
    transaction.on_commit(partial(_enqueue, event.pk))
    return HttpResponse(channel.answer, content_type="text/plain; charset=utf-8")


def _answer(request: HttpRequest, origin: Origin | None) -> HttpResponse:
    if origin is None:
        return JsonResponse({"error": "not found"}, status=404)
    return _verify(request, origin) if request.method == "GET" else _receive(request, origin)


def _verify(request: HttpRequest, origin: Origin) -> HttpResponse:
    """Meta's check of the address: whoever knows the verify token gets the challenge back."""
    challenge = request.GET.get("hub.challenge", "")
    subscribes = request.GET.get("hub.mode") == "subscribe" and len(challenge) <= _CHALLENGE_LENGTH
    if not subscribes or not token_is_valid(request.GET.get("hub.verify_token", ""), origin.tokens):
        return HttpResponse("wrong verify token", status=403, content_type="text/plain")
    return HttpResponse(challenge, content_type="text/plain")


def _receive(request: HttpRequest, origin: Origin) -> HttpResponse:
    body = _body(request)
    if body is None:
        return JsonResponse({"error": "the body is too large or was cut off"}, status=413)
    if not signature_is_valid(body, request.headers.get(HEADER, ""), origin.secrets):
        log.warning("webhook_refused", path=request.path, bytes=len(body))
        return JsonResponse({"error": "wrong signature"}, status=401)
    event = InboundEvent.objects.create(organization_id=origin.organization_id, body=body)
    transaction.on_commit(partial(_enqueue, event.pk))
    return JsonResponse({"received": True})


def _body(request: HttpRequest, most: int = BODY_BYTES) -> bytes | None:
    """The raw bytes; None when there are more than `most` or the connection broke."""
    length = request.META.get("CONTENT_LENGTH") or ""
    if length.isascii() and length.isdigit() and int(length) > most:
        return None
    try:
        body = request.read(most + 1)
    except UnreadablePostError:
        return None
    return body if len(body) <= most else None


def _enqueue(event_id: int) -> None:
    """Without a broker the event stays `received`, and the sweep finds it: the provider gets its 200 all the same."""
    try:
        process.apply_async((event_id,), retry=False)
    except OperationalError as error:
        log.warning("inbound_not_enqueued", inbound_event=event_id, error=str(error))
