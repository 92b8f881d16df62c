"""/metrics for Prometheus: computed at each scrape from Redis and the database, so any process gives the same answer.

Nothing here grows with the number of organisations: a few small queries and one round trip per queue; of the channels
only the 500 with the longest queues are shown.
Flow counters are added up in Redis by whoever does the work (`counter_add`, once per batch).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from typing import Any, Final

import kombu.exceptions
import redis
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from config.health import readiness
from config.heartbeat import monitor_redis

log = logging.getLogger(__name__)

_COUNTERS: Final = "griot:metrics"
# Counter -> (label, help). A label's values are a short fixed list, never an organisation or a channel.
COUNTERS: Final = {
    "griot_messages": ("outcome", "Outgoing messages by what happened to them"),
    "griot_webhook_attempts": ("outcome", "Attempts to deliver webhooks by what became of the delivery"),
    "griot_inbound_events": ("outcome", "Provider events by what happened to them"),
}


def counter_add(name: str, label: str, amount: int = 1) -> None:
    """Add to a flow counter (a key of COUNTERS) under a label value. Call once per batch, outside transactions.

    A Redis that does not answer loses the amount and logs it: metrics never stop the work.
    """
    if name not in COUNTERS:
        raise ValueError(f"{name!r} is not in COUNTERS")
    try:
        monitor_redis().hincrby(_COUNTERS, f"{name} {label}", amount)
    except redis.RedisError as error:
        log.warning("metric not counted", extra={"metric": name, "error": type(error).__name__})


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The exposition. METRICS_TOKEN asks for `Authorization: Bearer <token>`; production answers 404 without one."""
    token: str = settings.METRICS_TOKEN
    if not token and settings.PRODUCTION:
        return HttpResponse(status=404)
    if token and not _authorized(request, token):
        return HttpResponse(status=401, headers={"WWW-Authenticate": 'Bearer realm="metrics"'})
    registry = CollectorRegistry(auto_describe=False)
    registry.register(PlatformCollector())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _authorized(request: HttpRequest, token: str) -> bool:
    given = request.headers.get("Authorization", "")
    return secrets.compare_digest(given.encode(), f"Bearer {token}".encode())


class PlatformCollector(Collector):
    """Collects once per scrape; a source that fails is missing from the answer and shows as griot_up 0."""

    def collect(self) -> Iterator[Metric]:
        yield _up()
        for source in (_queues, _agenda, _organizations, _channels, _flow):
            try:
                yield from list(source())
            except (DatabaseError, redis.RedisError, kombu.exceptions.KombuError, OSError) as error:
                log.warning("metrics source failed", extra={"source": source.__name__, "error": type(error).__name__})


def _up() -> Metric:
    up = GaugeMetricFamily("griot_up", "1 when this part of the platform answers", labels=["part"])
    for name, part in readiness().items():
        up.add_metric([name], float(part.ok))
    return up


def _queues() -> Iterator[Metric]:
    from config.celery import app

    depth = GaugeMetricFamily("griot_queue_depth", "Tasks waiting in a Celery queue", labels=["queue"])
    with app.connection_for_read(connect_timeout=3) as broker:
        broker.ensure_connection(max_retries=1, timeout=3)
        # Kombu's channels of all transports have it, their common base class does not declare it.
        channel: Any = broker.default_channel
        for queue in settings.CELERY_TASK_QUEUES:
            try:
                waiting = channel.queue_declare(queue.name, passive=True).message_count
            except broker.channel_errors:
                # Never declared: no task was ever sent there. The error closes an AMQP channel.
                waiting, channel = 0, broker.channel()
            depth.add_metric([queue.name], waiting)
    yield depth


def _agenda() -> Iterator[Metric]:
    due = GaugeMetricFamily("griot_agenda_due", "Agenda items whose time has come", labels=["kind"])
    late = GaugeMetricFamily("griot_agenda_late_seconds", "Age of the oldest agenda item that is due", labels=["kind"])
    rows = _rows(
        "SELECT kind, count(*), extract(epoch FROM now() - min(due_at)) FROM public.tenants_agendaitem"
        " WHERE due_at <= now() AND (leased_until IS NULL OR leased_until < now()) GROUP BY kind ORDER BY kind"
    )
    for kind, count, seconds in rows:
        due.add_metric([str(kind)], float(str(count)))
        late.add_metric([str(kind)], float(str(seconds)))
    yield due
    yield late


def _organizations() -> Iterator[Metric]:
    found = GaugeMetricFamily("griot_organizations", "Organisations by status", labels=["status"])
    rows = _rows(
        "SELECT status, count(*) FROM public.tenants_organization"
        " WHERE schema_name <> 'public' AND NOT is_template GROUP BY status ORDER BY status"
    )
    for status, count in rows:
        found.add_metric([str(status)], float(str(count)))
    yield found


# name -> (what it says, place in the row). Rows come from the table that the engine keeps; no schema is opened.
_CHANNEL_GAUGES: Final = {
    "griot_channel_connected": "1 when the channel may send",
    "griot_channel_queued": "Messages that may go now; counting stops at 10,001",
    "griot_channel_in_doubt": "Messages whose fate the provider has not confirmed; counting stops at 10,001",
    "griot_channel_oldest_seconds": "Age of the oldest message that may go now",
    "griot_channel_rate_per_minute": "Messages sent per minute, as last measured",
    "griot_channel_unattended_seconds": "How long ago a worker should have taken the channel",
}
# The channels that have work, trouble or worked within a day, the longest queues first.
_CHANNELS: Final = """
SELECT organization.slug, health.name, health.channel_id, (health.status = 'connected')::int, health.queued,
       health.in_doubt, COALESCE(extract(epoch FROM now() - health.oldest_at), 0),
       CASE WHEN health.measured_at > now() - interval '30 seconds' THEN health.rate ELSE 0 END,
       CASE WHEN lane.leased_until IS NULL OR lane.leased_until < now()
            THEN COALESCE(GREATEST(extract(epoch FROM now() - lane.due_at), 0), 0) ELSE 0 END,
       health.sent_total
FROM public.tenants_channelhealth health
JOIN public.tenants_organization organization ON organization.id = health.organization_id
LEFT JOIN public.tenants_agendaitem lane ON lane.schema = organization.schema_name AND lane.kind = 'channel'
     AND lane.key = health.channel_id::text
WHERE organization.status = 'active'
  AND (health.queued > 0 OR health.in_doubt > 0 OR health.status = 'paused'
       OR health.measured_at > now() - interval '1 day')
ORDER BY health.queued DESC, health.measured_at DESC LIMIT 500
"""


def _channels() -> Iterator[Metric]:
    labels = ["organization", "channel", "channel_id"]
    families: list[GaugeMetricFamily | CounterMetricFamily] = [
        GaugeMetricFamily(name, text, labels=labels) for name, text in _CHANNEL_GAUGES.items()
    ]
    families.append(CounterMetricFamily("griot_channel_sent", "Messages that the channel has sent", labels=labels))
    for slug, name, channel_id, *values in _rows(_CHANNELS):
        label = [str(slug), str(name), str(channel_id)]
        for family, value in zip(families, values, strict=True):
            family.add_metric(label, float(str(value)))
    yield from families


def _flow() -> Iterator[Metric]:
    stored: dict[str, str] = monitor_redis().hgetall(_COUNTERS)  # type: ignore[assignment]
    families = {name: CounterMetricFamily(name, text, labels=[label]) for name, (label, text) in COUNTERS.items()}
    for field, value in sorted(stored.items()):
        name, _, label = field.partition(" ")
        if name in families:
            families[name].add_metric([label], float(value))
    yield from families.values()


def _rows(sql: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())
