"""Rates: exact with many callers at once, refilled evenly, told in headers, and open when Redis is away."""

from __future__ import annotations

import socket
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from django.conf import settings

from api import rate_limit
from api.rate_limit import rate_take
from tenants.services.keys import SCOPES, api_key_create
from tests.api.transactional.caller import Caller, problem


@pytest.fixture
def bucket():
    return uuid.uuid4().hex


def test_a_bucket_holds_its_limit_and_then_refuses(bucket):
    states = [rate_take(bucket=bucket, limit=5, period=600) for _ in range(6)]
    assert [state.allowed for state in states] == [True] * 5 + [False]
    assert [state.remaining for state in states] == [4, 3, 2, 1, 0, 0]
    assert states[5].retry_after == pytest.approx(120, abs=5)
    assert states[5].full_in == pytest.approx(600, abs=5)


def test_a_bucket_refills_evenly(bucket):
    for _ in range(10):
        assert rate_take(bucket=bucket, limit=10, period=1).allowed
    refused = rate_take(bucket=bucket, limit=10, period=1)
    assert not refused.allowed
    time.sleep(refused.retry_after + 0.005)
    assert rate_take(bucket=bucket, limit=10, period=1).allowed


def test_a_refused_request_does_not_use_anything_up(bucket):
    assert rate_take(bucket=bucket, limit=1, period=0.5).allowed
    for _ in range(5):
        assert not rate_take(bucket=bucket, limit=1, period=0.5).allowed
    time.sleep(0.52)
    assert rate_take(bucket=bucket, limit=1, period=0.5).allowed


def test_the_limit_holds_with_many_threads(bucket):
    with ThreadPoolExecutor(16) as pool:
        states = list(pool.map(lambda _: rate_take(bucket=bucket, limit=50, period=3600), range(200)))
    assert sum(state.allowed for state in states) == 50


def test_threads_that_all_begin_at_once_each_get_their_answer(bucket):
    rate_limit._client.cache_clear()
    together = threading.Barrier(32)

    def take(_):
        together.wait()
        return rate_take(bucket=bucket, limit=32, period=3600).remaining

    with ThreadPoolExecutor(32) as pool:
        assert sorted(pool.map(take, range(32))) == list(range(32))


def test_buckets_are_apart_and_die_by_themselves(bucket):
    assert rate_take(bucket=bucket, limit=1, period=60).allowed
    assert rate_take(bucket=bucket + "b", limit=1, period=60).allowed
    assert 0 < rate_limit._client().pttl(f"rate:{bucket}") <= 60_000


def test_an_emptied_script_cache_and_a_lost_connection_go_unnoticed(bucket):
    assert rate_take(bucket=bucket, limit=5).remaining == 4
    rate_limit._client().script_flush()
    assert rate_take(bucket=bucket, limit=5).remaining == 3
    me = rate_limit._client().client_id()
    redis.Redis.from_url(settings.REDIS_URL).client_kill_filter(_id=me)
    assert rate_take(bucket=bucket, limit=5).remaining == 2


def test_without_redis_requests_pass_uncounted_quickly_and_it_is_left_alone_for_a_while(bucket, settings, caplog):
    with socket.create_server(("127.0.0.1", 0)) as server:
        unused = server.getsockname()[1]
    settings.REDIS_URL = f"redis://127.0.0.1:{unused}/0"
    rate_limit._client.cache_clear()
    try:
        begun = time.monotonic()
        states = [rate_take(bucket=bucket, limit=1) for _ in range(50)]
        assert time.monotonic() - begun < 0.6
    finally:
        rate_limit._client.cache_clear()
        rate_limit._Breaker.closed_until = 0.0
    assert all(state.allowed for state in states)
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.django_db
def test_answers_tell_the_limit_and_the_refusal_when_to_come_back(organization):
    _, plain = api_key_create(organization=organization, name="k", scopes=SCOPES["transactional"], rate_per_minute=2)
    caller = Caller(plain)
    first, second, third = caller.get("/providers"), caller.get("/messages/x"), caller.get("/providers")
    assert [response.status_code for response in (first, second, third)] == [200, 404, 429]
    assert [response["X-RateLimit-Limit"] for response in (first, second, third)] == ["2", "2", "2"]
    assert [response["X-RateLimit-Remaining"] for response in (first, second, third)] == ["1", "0", "0"]
    assert int(first["X-RateLimit-Reset"]) == pytest.approx(time.time() + 30, abs=3)
    assert int(third["X-RateLimit-Reset"]) == pytest.approx(time.time() + 60, abs=3)
    assert problem(third) == (429, "rate_limited")
    assert 25 <= int(third["Retry-After"]) <= 30
