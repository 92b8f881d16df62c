"""The published surfaces, their OpenAPI documents and their documentation pages under /docs/."""

from __future__ import annotations

import importlib
import threading
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import orjson
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import patched_settings

from config.api_reference import Reference, reference_of


@dataclass(frozen=True, slots=True)
class Surface:
    """One published API. `mount`: its path without the outer slashes; `guide`: dotted path of its `GUIDE`."""

    name: str
    title: str
    summary: str
    mount: str
    urls: str
    guide: str
    tags: tuple[tuple[str, str], ...]
    # The header that carries the key in examples.
    auth: str = "X-API-Key: $API_KEY"


SURFACES: Final[dict[str, Surface]] = {
    surface.name: surface
    for surface in (
        Surface(
            name="transactional",
            title="Transactional API",
            summary="Messages and one-time passwords from your back end.",
            mount="api/v1",
            urls="api.transactional.urls",
            guide="api.transactional.guide",
            tags=(
                ("Providers", "The numbers that you send from."),
                ("Messages", "Sending and status."),
                ("OTP", "One-time passwords."),
            ),
        ),
        Surface(
            name="gateway",
            title="Gateway API",
            summary="Connect your customers' WhatsApp, Instagram and Messenger channels.",
            mount="v1",
            urls="api.gateway.urls",
            guide="api.gateway.guide",
            tags=(
                ("Account", "Your account and its keys."),
                ("Channels", "The numbers, pages and accounts that are connected."),
                ("Customers", "The businesses that you serve, and how they connect their channels."),
                ("Messages", "Sending, and what was sent and received."),
                ("Templates", "Messages that Meta approves before they are sent."),
                ("Webhooks", "Events as they happen."),
            ),
            auth="Authorization: Bearer $API_KEY",
        ),
        Surface(
            name="marketing",
            title="Marketing API",
            summary="Contacts, campaigns and SMS, with sub-accounts for your colleagues.",
            mount="api",
            urls="api.marketing.urls",
            guide="api.marketing.guide",
            tags=(
                ("Authentication", "Tokens."),
                ("Contacts", "People, with fields of your own."),
                ("Contact groups", "Lists of contacts."),
                ("Campaigns", "One message to many, once or again and again."),
                ("Messages", "Single messages, and what was sent."),
                ("Templates", "Texts to use again."),
                ("Sub-accounts", "Your colleagues, what they may do and spend."),
                ("Webhooks", "Events as they happen."),
                ("Blacklist", "Numbers that must not be written to."),
                ("Audit logs", "Who changed what."),
            ),
            auth="Authorization: Bearer $TOKEN",
        ),
    )
}
# drf-spectacular's settings are global: only one document is made at a time.
_lock = threading.Lock()


@cache
def surface_schema(name: str) -> dict[str, Any]:
    """The OpenAPI 3.0.3 document of a surface; `KeyError` for an unknown one."""
    surface = SURFACES[name]
    importlib.import_module("api.openapi")
    patterns = [path(f"{surface.mount}/", include(surface.urls))]
    patches = {
        "TITLE": f"Griot {surface.title}",
        "DESCRIPTION": surface.summary,
        "SERVERS": [{"url": f"/{surface.mount}", "description": "This installation"}],
        "TAGS": [{"name": tag, "description": text} for tag, text in surface.tags],
        "SCHEMA_PATH_PREFIX": f"/{surface.mount}",
        "SCHEMA_PATH_PREFIX_TRIM": True,
        "COMPONENT_SPLIT_REQUEST": False,
        "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
        "POSTPROCESSING_HOOKS": [],
    }
    with _lock, patched_settings(patches):
        generator: Any = SchemaGenerator(patterns=patterns)  # type: ignore[no-untyped-call]
        schema: dict[str, Any] = generator.get_schema(request=None, public=True)
    return schema


@cache
def _schema_json(name: str) -> bytes:
    return orjson.dumps(surface_schema(name), option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)


@cache
def _reference(name: str) -> Reference:
    return reference_of(surface_schema(name), mount=SURFACES[name].mount, auth=SURFACES[name].auth)


def docs_index(request: HttpRequest) -> HttpResponse:
    """The list of the surfaces."""
    return render(request, "docs/index.html", {"surfaces": SURFACES.values()})


def docs_surface(request: HttpRequest, name: str) -> HttpResponse:
    """The documentation of one surface: its guide, and the reference made from its OpenAPI document."""
    surface = _surface(name)
    context = {
        "surface": surface,
        "guide": importlib.import_module(surface.guide).guide(),
        "reference": _reference(name),
        "base_url": settings.PUBLIC_BASE_URL,
    }
    return render(request, "docs/surface.html", context)


def docs_schema(request: HttpRequest, name: str) -> HttpResponse:
    """The OpenAPI document of one surface as JSON."""
    return HttpResponse(_schema_json(_surface(name).name), content_type="application/json")


def _surface(name: str) -> Surface:
    if name not in SURFACES:
        raise Http404
    return SURFACES[name]


urlpatterns = [
    path("docs/", docs_index, name="docs"),
    path("docs/<slug:name>/", docs_surface, name="docs-surface"),
    path("docs/<slug:name>/openapi.json", docs_schema, name="docs-schema"),
]
