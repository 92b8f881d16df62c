"""Addresses that work on every host: the published APIs, the providers' webhooks, health and metrics."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from config.openapi import urlpatterns as docs
from config.probes import urlpatterns as probes

urlpatterns: list[URLPattern | URLResolver] = [
    *probes,
    *docs,
    path("api/v1/", include("api.transactional.urls")),
    # After /api/v1/ (and /api/v2/): the first one that fits wins.
    path("api/", include("api.marketing.urls")),
    path("v1/", include("api.gateway.urls")),
    path("setup/", include("messaging.setup.urls")),
    path("media/", include("messaging.media.urls")),
    path("webhook/", include("messaging.inbound.urls")),
]
