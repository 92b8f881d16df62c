"""The whole platform through pgbouncer in transaction mode; only `migrate` goes to PostgreSQL itself."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import requests

from config.stack.instance import Instance
from tests.live.pgbouncer import pgbouncer, pgbouncer_program

pytestmark = pytest.mark.skipif(pgbouncer_program() is None, reason="pgbouncer is not installed")


@pytest.fixture(scope="module")
def pooled_stack() -> Iterator[Instance]:
    """The platform on two server connections for all of its processes."""
    with Instance(os.environ, processes=("sandbox",)) as instance, ExitStack() as stack:
        direct = instance.env["DATABASE_URL"]
        instance.env["DATABASE_URL"] = stack.enter_context(pgbouncer(direct, servers=2))
        instance.env["DATABASE_POOLING"] = "transaction"
        for name in ("web", "dispatch", "webhooks", "worker", "beat"):
            instance.start(name)
        instance._wait(f"{instance.base_url}/readyz")
        yield instance
        instance.stop()


def eventually(check: Callable[[], Any], seconds: float = 30.0) -> Any:
    end = time.monotonic() + seconds
    while not (answer := check()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)
    return answer


def _keys(stack: Instance) -> list[tuple[str, str]]:
    """(API key, prefix of the numbers that this organisation writes to) of both organisations."""
    return [
        (stack.demo["transactional"]["api_key"], "2296110"),
        (stack.demo["second_organization"]["transactional_api_key"], "2296220"),
    ]


def _call(stack: Instance, key: str, method: str, path: str, **options: Any) -> Any:
    answer = requests.request(
        method, f"{stack.base_url}/api/v1{path}", headers={"X-API-Key": key}, timeout=60, **options
    )
    assert answer.status_code < 300, answer.text
    return answer.json()


def _provider(stack: Instance, key: str) -> str:
    return str(_call(stack, key, "GET", "/providers")["providers"][0]["id"])


def test_two_organisations_send_at_once_and_see_only_their_own(pooled_stack):
    keys = _keys(pooled_stack)
    providers = {key: _provider(pooled_stack, key) for key, _ in keys}
    assert len(set(providers.values())) == 2

    def send(number: int) -> tuple[str, str]:
        key, prefix = keys[number % 2]
        body = {"providerId": providers[key], "to": f"{prefix}{number // 2 % 90:04d}", "message": "Hello"}
        accepted = _call(pooled_stack, key, "POST", "/messages/send", json=body)["messageId"]
        seen = _call(pooled_stack, key, "GET", f"/messages/{accepted}")
        assert seen["to"].lstrip("+") == body["to"]
        other = keys[(number + 1) % 2][0]
        foreign = requests.get(
            f"{pooled_stack.base_url}/api/v1/messages/{accepted}", headers={"X-API-Key": other}, timeout=60
        )
        assert foreign.status_code == 404
        return key, accepted

    with ThreadPoolExecutor(6) as threads:
        sent = list(threads.map(send, range(120)))
    for key, message in sent:
        eventually(lambda key=key, message=message: _call(pooled_stack, key, "GET", f"/messages/{message}")["status"]
                   == "delivered")  # fmt: skip


def _admin(stack: Instance, organization: dict[str, str]) -> tuple[requests.Session, str]:
    """A session that is logged in to the organisation's admin, and its address on loopback."""
    session = requests.Session()
    url = urlsplit(organization["admin_url"])
    session.headers["Host"] = url.netloc
    base = f"{stack.base_url}/admin"
    form = session.get(f"{base}/login/", timeout=60).text
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
    assert token is not None
    answer = session.post(
        f"{base}/login/",
        data={"username": organization["email"], "password": organization["password"], "csrfmiddlewaretoken": token[1]},
        cookies=dict(session.cookies), allow_redirects=False, timeout=60,
    )  # fmt: skip
    assert answer.status_code == 302, answer.text[:500]
    return session, base


def test_admin_pages_of_both_organisations_at_once_show_only_their_own(pooled_stack):
    demo = pooled_stack.demo
    sessions = [_admin(pooled_stack, demo["organization"]), _admin(pooled_stack, demo["second_organization"])]
    prefixes = [prefix for _, prefix in _keys(pooled_stack)]

    for key, prefix in _keys(pooled_stack):
        body = {"providerId": _provider(pooled_stack, key), "to": f"{prefix}0000", "message": "Hello"}
        _call(pooled_stack, key, "POST", "/messages/send", json=body)

    def look(number: int) -> None:
        session, base = sessions[number % 2]
        page = session.get(f"{base}/messaging/message/", cookies=dict(session.cookies), timeout=60)
        assert page.status_code == 200
        shown = page.text.replace(" ", "")
        assert prefixes[number % 2] in shown
        assert prefixes[(number + 1) % 2] not in shown

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(look, range(24)))


def test_an_answer_from_the_phone_is_stored_in_its_organisation_alone(pooled_stack):
    for number, (key, prefix) in enumerate(_keys(pooled_stack)):
        phone = f"{prefix}7777"
        body = {"providerId": _provider(pooled_stack, key), "to": phone, "message": "Hello"}
        _call(pooled_stack, key, "POST", "/messages/send", json=body)
        eventually(lambda phone=phone: requests.get(f"{pooled_stack.sandbox_url}/inbox/{phone}", timeout=10)
                   .json()["messages"])  # fmt: skip
        answer = requests.post(
            f"{pooled_stack.sandbox_url}/_control/phones/{phone}/reply", json={"text": f"Answer {number}"}, timeout=10
        )
        assert answer.status_code == 200, answer.text
    database = pooled_stack.env["DATABASE_URL"]
    with psycopg.connect(database, autocommit=True, prepare_threshold=None) as connection:
        for number, schema in enumerate(("t_demo", "t_demo_two")):
            statement = f"SELECT content ->> 'text' FROM {schema}.messaging_message WHERE direction = 'in'"
            found = eventually(lambda statement=statement: connection.execute(statement).fetchall())
            assert [f"Answer {number}" in text for (text,) in found] == [True]


def test_migrations_say_that_they_need_a_connection_of_their_own(pooled_stack):
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate"], env=pooled_stack.env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "DATABASE_POOLING=none" in done.stderr
