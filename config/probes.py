"""The probes' addresses, and the middleware that answers them before anything that needs a host or a database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.urls import path

from config.health import healthz, readyz
from config.metrics import metrics
from tenants.connection import connection

PROBES: Final[dict[str, Callable[..., HttpResponse]]] = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics}

urlpatterns = [path(address.lstrip("/"), view, name=address.lstrip("/")) for address, view in PROBES.items()]


class ProbeMiddleware:
    """Answers /healthz, /readyz and /metrics whatever the Host header says: orchestrators probe by address."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        view = PROBES.get(request.path_info)
        if view is None:
            return self.get_response(request)
        # A thread's connection may still stand in the last request's organisation.
        connection.set_schema_to_public()
        return view(request)
