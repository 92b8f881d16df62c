"""Faults in the middle of a load: nothing lost, nothing sent twice, everything counted, nothing stuck."""

from __future__ import annotations

import time
from typing import Any

import pytest
import redis

from bench.faults.kinds import connections_cut
from bench.faults.scene import Scene

# Without the start of the platform, which all live tests share.
pytestmark = pytest.mark.timeout(240, func_only=True)


def test_killed_workers(survive: Any) -> None:
    survive(lambda scene: scene.restart("dispatch", "worker", "beat"))


def test_a_broker_that_forgets_everything(survive: Any) -> None:
    def forget(scene: Scene) -> None:
        for url in (scene.instance.env["REDIS_URL"], scene.instance.env["CELERY_BROKER_URL"]):
            with redis.Redis.from_url(url) as client:
                number = client.connection_pool.connection_kwargs["db"]
                client.flushdb()
                # The workers must connect again by themselves. Other databases of the server are not ours.
                for peer in client.client_list():
                    if int(peer["db"]) == number and peer["id"] != str(client.client_id()):
                        client.client_kill_filter(_id=peer["id"])
                client.flushdb()

    survive(forget)


def test_database_connections_cut(survive: Any) -> None:
    def cut(scene: Scene) -> None:
        for _ in range(3):
            assert connections_cut(scene) > 0
            time.sleep(0.3)

    survive(cut)


def test_answers_lost_while_reports_come_doubled_and_in_any_order(survive: Any) -> None:
    def lose_answers(scene: Scene) -> None:
        scene.switch(drop_after={"share": 0.5}, status_duplicate=0.5, status_shuffle=True)
        time.sleep(1.5)
        scene.switch(drop_after=None)

    assert survive(lose_answers)["in_doubt"] > 10
