"""Addresses that work on every host: the published APIs, the providers' webhooks, health and metrics."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

from config.probes import urlpatterns as probes

urlpatterns: list[URLPattern | URLResolver] = [*probes]
