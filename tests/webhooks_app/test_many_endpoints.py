"""Five hundred endpoints of one organisation: those that hang, fail or have dead names delay nobody else."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest
from django_tenants.utils import schema_context

from config import egress
from tests.webhooks_app.receiver import Receiver, Reply
from webhooks_app.models import Delivery

FAST, HANGING, FAILING, NAMELESS = 60, 300, 100, 40
# The slow ones wait until the test is over, or this long; the fast ones must be done in half of the time.
HANGS = 60.0


@pytest.mark.timeout(300)
def test_five_hundred_endpoints_and_the_slow_ones_delay_nobody(
    committed: Any, pump: Any, make_endpoint: Any, publish: Any, wait_until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    organization, _ = committed
    quick, stuck, broken = Receiver(), Receiver(), Receiver()
    over = threading.Event()

    def hang(request: Any, number: int) -> Reply:
        over.wait(HANGS)
        return Reply()

    stuck.reply = hang
    broken.reply = lambda request, number: Reply(500)
    try:
        slow = [make_endpoint(organization, f"{stuck.url()}/{number}", timeout=30) for number in range(HANGING)]
        bad = [make_endpoint(organization, f"{broken.url()}/{number}") for number in range(FAILING)]
        lost = [make_endpoint(organization, f"{stuck.url()}/lost/{number}") for number in range(NAMELESS)]
        good = [make_endpoint(organization, f"{quick.url()}/{number}") for number in range(FAST)]
        assert len(slow + bad + lost + good) == 500
        with schema_context(organization.schema_name):
            for endpoint in lost:
                type(endpoint).objects.filter(pk=endpoint.pk).update(url=f"http://dead{endpoint.pk}.example.com/hook")
        look_up = socket.getaddrinfo

        def slow_names(host: Any, *rest: Any, **options: Any) -> Any:
            if str(host).startswith("dead"):
                over.wait(HANGS)
                raise socket.gaierror("no answer from any name server")
            return look_up(host, *rest, **options)

        monkeypatch.setattr(egress.socket, "getaddrinfo", slow_names)
        publish(organization, 3)
        # The slow ones first: the good ones come behind all of them.
        for endpoint in slow + lost + bad + good:
            pump.pump(organization.schema_name, endpoint.pk)
        wait_until(lambda: len(quick.requests) == FAST * 3, HANGS / 2)
        with schema_context(organization.schema_name):
            assert not Delivery.objects.filter(endpoint_id__in=[row.pk for row in slow], status="succeeded").exists()
        assert {request.path for request in quick.requests} == {f"/hook/{number}" for number in range(FAST)}
        wait_until(lambda: len(broken.requests) >= FAILING, 60)
    finally:
        over.set()
        pump.stop()
        for receiver in (quick, stuck, broken):
            receiver.close()
