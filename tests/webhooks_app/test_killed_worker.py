"""A worker is killed in the middle of deliveries: everything arrives, repetitions have the same webhook-id."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from django.db import connection
from django_tenants.utils import schema_context

from tests.webhooks_app.receiver import Reply
from webhooks_app.models import Delivery

ROOT = Path(__file__).resolve().parents[2]
_WORKER = """
import sys, time, django
django.setup()
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
from webhooks_app.pump.runtime import Deliverer
pump = Deliverer().start()
while True:
    pump.pump(sys.argv[2], int(sys.argv[3]))
    time.sleep(0.1)
"""


def worker(schema: str, endpoint_id: int) -> subprocess.Popen[bytes]:
    env = os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings", "DISPATCH_LEASE_SECONDS": "5"}
    name = str(connection.settings_dict["NAME"])
    return subprocess.Popen([sys.executable, "-c", _WORKER, name, schema, str(endpoint_id)], cwd=ROOT, env=env)


def test_a_killed_worker_loses_nothing_and_repeats_under_the_same_id(
    committed, receiver, make_endpoint, publish, wait_until
):
    organization, _ = committed
    endpoint = make_endpoint(organization, receiver.url())
    receiver.reply = lambda request, number: Reply(wait=0.05)
    publish(organization, 400)
    first = worker(organization.schema_name, endpoint.pk)
    try:
        wait_until(lambda: len(receiver.requests) > 40, 60)
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait(10)
    time.sleep(0.2)
    with schema_context(organization.schema_name):
        assert Delivery.objects.filter(status="sending").exists()
    second = worker(organization.schema_name, endpoint.pk)

    def arrived() -> int:
        with schema_context(organization.schema_name):
            return Delivery.objects.filter(status="succeeded").count()

    try:
        wait_until(lambda: arrived() == 400, 90)
    finally:
        second.terminate()
        second.wait(10)
    numbers = {
        request.headers["webhook-id"]: request.json["data"]["contact"]["number"] for request in receiver.requests
    }
    assert sorted(numbers.values()) == list(range(400))
    assert len(receiver.requests) - 400 <= 64
