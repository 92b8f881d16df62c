"""/healthz and /readyz: answered before hosts, sessions and organisations, so that any probe gets through."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import kombu.exceptions
import redis
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from config.heartbeat import monitor_redis, queues_alive

# Probes of several load balancers share one check.
_READY_SECONDS: Final = 1.0
_BROKER_SECONDS: Final = 3


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the platform and whether it works; `detail` names a reason, never an address or a secret."""

    ok: bool
    detail: str


_lock = threading.Lock()
_last: tuple[float, dict[str, Part]] = (0.0, {})


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers. Asks nobody: a database that is down must not make every process restart."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when database, Redis, broker and a worker for every queue answer; else 503. Each part is in the body."""
    parts = readiness()
    ready = all(part.ok for part in parts.values())
    body = {
        "status": "ok" if ready else "unavailable",
        "parts": {name: {"ok": part.ok, "detail": part.detail} for name, part in parts.items()},
    }
    response = JsonResponse(body, status=200 if ready else 503)
    # The answer says what is missing; Django would log every poll of a starting platform as an error.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def readiness() -> dict[str, Part]:
    """Every part, checked at most once in _READY_SECONDS per process."""
    global _last
    with _lock:
        until, parts = _last
        if time.monotonic() >= until:
            parts = {
                "database": _checked(_database),
                "redis": _checked(_redis),
                "broker": _checked(_broker),
                **_workers(),
            }
            _last = (time.monotonic() + _READY_SECONDS, parts)
        return parts


def readiness_forget() -> None:
    """Check again at the next question."""
    global _last
    _last = (0.0, {})


def _checked(check: Callable[[], None]) -> Part:
    started = time.monotonic()
    try:
        check()
    except (DatabaseError, redis.RedisError, OSError, kombu.exceptions.KombuError) as error:
        return Part(False, type(error).__name__)
    return Part(True, f"{(time.monotonic() - started) * 1000:.1f} ms")


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _redis() -> None:
    monitor_redis().ping()


def _broker() -> None:
    from config.celery import app

    with app.connection_for_read(connect_timeout=_BROKER_SECONDS) as broker:
        broker.ensure_connection(max_retries=1, timeout=_BROKER_SECONDS)


def _workers() -> dict[str, Part]:
    names = [queue.name for queue in settings.CELERY_TASK_QUEUES]
    try:
        alive = queues_alive(names)
    except redis.RedisError as error:
        return {f"workers:{name}": Part(False, type(error).__name__) for name in names}
    return {
        f"workers:{name}": Part(alive[name], "alive" if alive[name] else "no worker consumes this queue")
        for name in names
    }
