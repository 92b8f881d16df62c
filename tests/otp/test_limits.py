"""Limits on sending: resend interval, per number, per range, per organisation; exact with many at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone
from django_tenants.utils import schema_context

from messaging.models import Message
from messaging.services.channels import channel_by_uuid
from otp import limits
from otp.limits import OtpLimitReached, prefix_of
from otp.models import OneTimePassword, OtpPolicy
from otp.services import otp_send
from tests.otp.conftest import snapshot


def policy(**fields: int) -> None:
    roomy = {"resend_after_seconds": 0, "per_number_per_hour": 1000, "per_prefix_per_hour": 1000}
    OtpPolicy.objects.update(**(roomy | {"per_organization_per_hour": 1000} | fields))


def refused(send, **options) -> OtpLimitReached:
    before = Message.objects.count()
    with pytest.raises(OtpLimitReached) as caught:
        send(**options)
    assert caught.value.code == "otp_rate_limited"
    assert Message.objects.count() == before
    return caught.value


def test_a_second_code_to_the_same_number_waits_for_the_interval(send, time_machine):
    policy(resend_after_seconds=30)
    start = timezone.now()
    time_machine.move_to(start, tick=False)
    send()
    time_machine.shift(timedelta(seconds=10))
    error = refused(send, phone="+229 96 12 34 56")
    assert (error.limit, error.retry_after) == ("resend", 20)
    send(phone="22996123457")
    time_machine.shift(timedelta(seconds=20))
    send()


def test_a_number_gets_so_many_an_hour_and_the_oldest_makes_room(send, time_machine):
    policy(per_number_per_hour=3)
    time_machine.move_to(timezone.now(), tick=False)
    for _ in range(3):
        send()
        time_machine.shift(timedelta(minutes=10))
    error = refused(send)
    assert (error.limit, error.retry_after) == ("number", 1800)
    time_machine.shift(timedelta(minutes=30))
    send()
    assert refused(send).limit == "number"


def test_a_range_of_numbers_gets_so_many_an_hour(send):
    policy(per_prefix_per_hour=3)
    for last in range(3):
        send(phone=f"2299612000{last}")
    assert refused(send, phone="22996129999").limit == "range"
    send(phone="22996130000")


def test_the_organisation_gets_so_many_an_hour(send):
    policy(per_organization_per_hour=2)
    send(phone="22996120000")
    send(phone="22997130000")
    error = refused(send, phone="22991140000")
    assert error.limit == "organization"
    assert 3590 < error.retry_after <= 3600


def test_a_range_is_ten_thousand_consecutive_numbers():
    assert prefix_of("22996120000") == prefix_of("22996129999") != prefix_of("22996130000")
    assert len(prefix_of("1" * 20)) == 12


def test_the_limit_of_an_organisation_that_has_no_policy_is_the_default(send):
    OtpPolicy.objects.all().delete()
    send()
    assert refused(send).limit == "resend"


@pytest.mark.parametrize("limit", ["resend", "number", "range", "organization"])
def test_twenty_at_once_do_not_pass_a_limit(committed, make_channel, limit):
    organization, _ = committed
    channel = make_channel(organization)
    fields = {
        "resend": {"resend_after_seconds": 60},
        "number": {"per_number_per_hour": 3},
        "range": {"per_prefix_per_hour": 3},
        "organization": {"per_organization_per_hour": 3},
    }[limit]
    with schema_context(organization.schema_name):
        saved = OtpPolicy.objects.values().get()
        policy(**fields)
    together = threading.Barrier(20)

    def send(number: int) -> str:
        same = limit in ("resend", "number")
        phone = "22996123456" if same else f"229961234{number:02}" if limit == "range" else f"22996{number:02}3456"
        together.wait()
        try:
            with schema_context(organization.schema_name):
                found = channel_by_uuid(schema=organization.schema_name, uuid=channel.uuid)
                otp_send(organization=snapshot(organization), channel=found, phone=phone)
        except OtpLimitReached as error:
            return error.limit
        finally:
            connections.close_all()
        return "sent"

    try:
        with ThreadPoolExecutor(20) as pool:
            outcomes = list(pool.map(send, range(20)))
        with schema_context(organization.schema_name):
            stored = OneTimePassword.objects.count(), Message.objects.count()
    finally:
        with schema_context(organization.schema_name):
            OtpPolicy.objects.update(**{name: value for name, value in saved.items() if name != "id"})
    expected = 1 if limit == "resend" else 3
    assert stored == (expected, expected)
    assert sorted(set(outcomes)) == sorted({"sent", limit})
    assert outcomes.count("sent") == expected


def test_shared_limits_take_their_lock_only_near_the_end(send, monkeypatch):
    policy(per_organization_per_hour=10)
    monkeypatch.setattr(limits, "MARGIN", 8)
    locks = []
    lock = limits._lock
    monkeypatch.setattr(limits, "_lock", lambda name: (locks.append(name), lock(name)))
    for number in range(4):
        send(phone=f"22996{number}12345")
    assert [name for name in locks if name == "organization"] == ["organization", "organization"]
