from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from config import health, heartbeat
from config.heartbeat import beat, monitor_redis, queues_alive
from config.metrics import counter_add
from config.queues import TASK_QUEUES
from tenants.models import AgendaItem

pytestmark = pytest.mark.django_db
QUEUES = [queue.name for queue in TASK_QUEUES]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def fresh_probes() -> Iterator[None]:
    client = monitor_redis()

    def forget() -> None:
        health.readiness_forget()
        client.delete("griot:metrics", *(f"griot:alive:{name}" for name in QUEUES))

    forget()
    yield
    forget()


def get(path: str, **headers: str) -> Any:
    # An address that no host setting knows: orchestrators probe like that.
    return Client(headers={"host": "10.1.2.3:8000"} | headers).get(path)


def test_health_asks_nobody(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        answer = get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_readiness_needs_a_worker_for_every_queue() -> None:
    beat(QUEUES[1:], "worker@test")
    answer = get("/readyz")
    assert answer.status_code == 503
    parts = answer.json()["parts"]
    assert [name for name, part in parts.items() if not part["ok"]] == [f"workers:{QUEUES[0]}"]
    assert set(parts) == {"database", "redis", "broker", *(f"workers:{name}" for name in QUEUES)}

    beat(QUEUES[:1], "worker@test")
    health.readiness_forget()
    answer = get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


def test_a_worker_that_falls_silent_is_not_alive_any_more() -> None:
    beat(QUEUES, "worker@test")
    assert queues_alive(QUEUES) == dict.fromkeys(QUEUES, True)
    assert 0 < monitor_redis().ttl(f"griot:alive:{QUEUES[0]}") <= 15
    monitor_redis().delete(f"griot:alive:{QUEUES[0]}")
    assert queues_alive(QUEUES[:1]) == {QUEUES[0]: False}


@pytest.mark.parametrize(
    ("part", "error"),
    [
        ("_database", OperationalError("no")),
        ("_redis", redis.ConnectionError("no")),
        ("_broker", ConnectionError("no")),
    ],
)
def test_each_part_that_fails_is_named_without_its_address(
    part: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat(QUEUES, "worker@test")

    def broken() -> None:
        raise error

    monkeypatch.setattr(health, part, broken)
    answer = get("/readyz")
    assert answer.status_code == 503
    found = answer.json()["parts"][part.removeprefix("_")]
    assert found == {"ok": False, "detail": type(error).__name__}


def test_many_probes_share_one_check(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(health, "_database", lambda: asked.append(1))
    for _ in range(5):
        get("/readyz")
    assert asked == [1]


def test_a_heartbeat_survives_a_redis_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "monitor_redis", lambda: redis.Redis(port=1, retry=None))
    beat(QUEUES, "worker@test")


def test_a_real_worker_makes_its_queue_ready() -> None:
    command = [sys.executable, "-m", "celery", "-A", "config", "worker", "-Q", "dispatch", "-P", "threads", "-c", "1"]
    worker = subprocess.Popen(
        [*command, "--without-gossip", "--without-mingle"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not queues_alive(["dispatch"])["dispatch"]:
            time.sleep(0.2)
        assert queues_alive(QUEUES) == {name: name == "dispatch" for name in QUEUES}
        # It goes on from the event loop, not only at the start.
        monitor_redis().delete("griot:alive:dispatch")
        time.sleep(heartbeat.BEAT_SECONDS + 1.5)
        assert queues_alive(["dispatch"]) == {"dispatch": True}
    finally:
        worker.terminate()
        worker.wait(timeout=15)


def values(text: str, name: str) -> dict[str, float]:
    """Label value -> value of a metric with one label."""
    found = re.findall(rf'^{name}{{\w+="([^"]+)"}} (\S+)$', text, re.MULTILINE)
    return {label: float(value) for label, value in found}


def test_metrics_show_queues_agenda_organisations_and_flow(organization: Any) -> None:
    now = timezone.now()
    AgendaItem.objects.create(schema="public", kind="probe", key="1", due_at=now - timedelta(seconds=90))
    AgendaItem.objects.create(schema="public", kind="probe", key="2", due_at=now + timedelta(hours=1))
    counter_add("griot_messages", "sent", 40)
    counter_add("griot_messages", "sent", 2)
    beat(QUEUES, "worker@test")

    answer = get("/metrics")

    text = answer.content.decode()
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/plain")
    assert values(text, "griot_up")["database"] == 1.0
    assert set(values(text, "griot_queue_depth")) == set(QUEUES)
    assert values(text, "griot_agenda_due")["probe"] == 1
    assert 89 <= values(text, "griot_agenda_late_seconds")["probe"] < 100
    assert values(text, "griot_organizations") == {"active": 2.0}
    assert values(text, "griot_messages_total") == {"sent": 42.0}


def test_a_queue_s_depth_is_what_waits_in_the_broker() -> None:
    from config.celery import app

    before = values(get("/metrics").content.decode(), "griot_queue_depth")["inbound"]
    with app.connection_for_write() as broker:
        channel = broker.default_channel
        try:
            for _ in range(3):
                app.send_task("tenants.agenda.tick", queue="inbound", connection=broker, ignore_result=True)
            assert values(get("/metrics").content.decode(), "griot_queue_depth")["inbound"] == before + 3
        finally:
            channel.queue_purge("inbound")


def test_a_counter_that_nobody_declared_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="not in COUNTERS"):
        counter_add("griot_nonsense", "x")


def test_a_source_that_fails_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    from config import metrics

    def broken() -> Iterator[Any]:
        raise OperationalError("no")
        yield

    monkeypatch.setattr(metrics, "_agenda", broken)
    text = get("/metrics").content.decode()
    assert "griot_agenda_due" not in text and "griot_queue_depth" in text


@pytest.mark.parametrize(
    ("production", "token", "given", "status"),
    [
        (False, "", "", 200),
        (True, "", "", 404),
        (True, "secret-token", "", 401),
        (True, "secret-token", "Bearer wrong", 401),
        (True, "secret-token", "Bearer secret-token", 200),
        (False, "secret-token", "", 401),
        (False, "secret-token", "Bearer sécret", 401),
    ],
)
def test_metrics_are_for_those_who_know_the_token(
    settings: Any, production: bool, token: str, given: str, status: int
) -> None:
    settings.PRODUCTION, settings.METRICS_TOKEN = production, token
    assert get("/metrics", authorization=given).status_code == status


def test_every_probe_is_a_credential_path() -> None:
    from config.probes import PROBES

    assert all(address.startswith(django_settings.CREDENTIAL_PATHS) for address in PROBES)


def test_metrics_show_each_channel_that_works_or_has_trouble(organization: Any, make_channel: Any) -> None:
    from tenants.models import ChannelHealth

    now = timezone.now()
    busy, idle = make_channel(organization, name='Say "hi"'), make_channel(organization, name="Idle")
    ChannelHealth.objects.filter(channel_id=busy.pk).update(
        queued=12, in_doubt=3, oldest_at=now - timedelta(seconds=90), rate=480.0, sent_total=1234
    )
    ChannelHealth.objects.filter(channel_id=idle.pk).update(measured_at=now - timedelta(days=3))
    AgendaItem.objects.filter(kind="channel", key=str(busy.pk)).update(due_at=now - timedelta(seconds=60))

    text = get("/metrics").content.decode()

    label = rf'channel="Say \"hi\"",channel_id="{busy.pk}",organization="{organization.slug}"'
    shown = dict(re.findall(r"^(griot_channel_\w+)\{" + re.escape(label) + r"\} (\S+)$", text, re.MULTILINE))
    figures = {name.removeprefix("griot_channel_"): float(value) for name, value in shown.items()}
    assert 89 <= figures.pop("oldest_seconds") < 100
    assert 59 <= figures.pop("unattended_seconds") < 70
    assert figures == {"connected": 1, "queued": 12, "in_doubt": 3, "rate_per_minute": 480, "sent_total": 1234}
    assert "Idle" not in text


def test_metrics_open_no_schema_and_stay_bounded(organization: Any, django_assert_max_num_queries: Any) -> None:
    from tenants.models import ChannelHealth

    ChannelHealth.objects.bulk_create(
        ChannelHealth(
            organization=organization, channel_id=n, name=f"C{n}", status="paused", queued=n, scheduled=0, in_doubt=0,
            measured_at=timezone.now(),
        )
        for n in range(600)
    )  # fmt: skip
    with django_assert_max_num_queries(6) as captured:
        text = get("/metrics").content.decode()
    assert text.count("griot_channel_queued{") == 500
    assert 'channel="C599"' in text and 'channel="C50"' not in text
    assert not any(organization.schema_name in query["sql"] for query in captured.captured_queries)
