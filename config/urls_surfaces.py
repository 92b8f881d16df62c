"""Addresses that work on every host: the published APIs, the providers' webhooks, health and metrics."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
