"""Verifying: once, in time, with few guesses, also when 200 guess at once."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone
from django_tenants.utils import schema_context

from otp.codes import code_hash
from otp.models import OneTimePassword
from otp.services import Verification, otp_verify
from tenants.errors import NotFound

CODE = "482910"


def make_otp(channel_id: int, *, max_attempts: int = 5, expires_in: int = 300) -> OneTimePassword:
    otp_uuid = uuid.uuid4()
    return OneTimePassword.objects.create(
        uuid=otp_uuid,
        phone="22996123456",
        prefix="2299612",
        code_hash=code_hash(otp_uuid, CODE),
        channel_id=channel_id,
        max_attempts=max_attempts,
        expires_at=timezone.now() + timedelta(seconds=expires_in),
    )


def test_the_right_code_works_once(channel):
    otp = make_otp(channel.pk)
    assert otp_verify(otp_uuid=otp.uuid, code=CODE) == Verification(True)
    otp.refresh_from_db()
    assert (otp.attempts, otp.verified_at is not None) == (1, True)
    assert otp_verify(otp_uuid=otp.uuid, code=CODE) == Verification(False, "already_used", 0)
    assert otp_verify(otp_uuid=otp.uuid, code="000000") == Verification(False, "already_used", 0)


def test_wrong_guesses_count_down_and_then_the_right_code_is_refused_too(channel):
    otp = make_otp(channel.pk, max_attempts=3)
    outcomes = [otp_verify(otp_uuid=otp.uuid, code=code) for code in ("000000", "", "4829100", CODE)]
    assert outcomes == [
        Verification(False, "wrong_code", 2),
        Verification(False, "wrong_code", 1),
        Verification(False, "wrong_code", 0),
        Verification(False, "too_many_attempts", 0),
    ]
    otp.refresh_from_db()
    assert (otp.attempts, otp.verified_at) == (3, None)


def test_the_last_guess_may_be_the_right_one(channel):
    otp = make_otp(channel.pk, max_attempts=2)
    assert otp_verify(otp_uuid=otp.uuid, code="000000").attempts_left == 1
    assert otp_verify(otp_uuid=otp.uuid, code=CODE).valid


def test_an_expired_code_is_refused_without_using_a_guess(channel):
    otp = make_otp(channel.pk, expires_in=-1)
    assert otp_verify(otp_uuid=otp.uuid, code=CODE) == Verification(False, "expired", 0)
    otp.refresh_from_db()
    assert otp.attempts == 0


def test_a_code_lives_to_the_moment_it_expires(channel, time_machine):
    otp, other = make_otp(channel.pk), make_otp(channel.pk)
    time_machine.move_to(otp.expires_at - timedelta(milliseconds=1), tick=False)
    assert otp_verify(otp_uuid=otp.uuid, code=CODE).valid
    time_machine.move_to(other.expires_at, tick=False)
    assert otp_verify(otp_uuid=other.uuid, code=CODE).reason == "expired"


def test_the_code_of_another_password_is_wrong(channel):
    otp, other = make_otp(channel.pk), make_otp(channel.pk)
    OneTimePassword.objects.filter(pk=other.pk).update(code_hash=otp.code_hash)
    assert otp_verify(otp_uuid=other.uuid, code=CODE).reason == "wrong_code"


def test_unknown_passwords_and_live_ones_for_sandbox_callers_do_not_exist(in_schema, make_channel, channel):
    live = make_channel(in_schema, is_sandbox=False, address="22997000001")
    hidden, visible = make_otp(live.pk), make_otp(channel.pk)
    with pytest.raises(NotFound):
        otp_verify(otp_uuid=uuid.uuid4(), code=CODE)
    with pytest.raises(NotFound):
        otp_verify(otp_uuid=hidden.uuid, code=CODE, sandbox_only=True)
    hidden.refresh_from_db()
    assert hidden.attempts == 0
    assert otp_verify(otp_uuid=visible.uuid, code=CODE, sandbox_only=True).valid
    assert otp_verify(otp_uuid=hidden.uuid, code=CODE).valid


@pytest.mark.parametrize("share_of_right_guesses", [0, 2, 1])
def test_two_hundred_guesses_at_once_are_capped_and_succeed_at_most_once(
    committed, make_channel, share_of_right_guesses
):
    organization, _ = committed
    with schema_context(organization.schema_name):
        otp = make_otp(make_channel(organization).pk)
    together = threading.Barrier(20)

    def guess(number: int) -> Verification:
        if number < 20:
            together.wait()
        right = bool(share_of_right_guesses) and number % share_of_right_guesses == 0
        try:
            with schema_context(organization.schema_name):
                return otp_verify(otp_uuid=otp.uuid, code=CODE if right else f"{number:06}")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(20) as pool:
        outcomes = list(pool.map(guess, range(200)))
    with schema_context(organization.schema_name):
        otp.refresh_from_db()
    evaluated = [outcome for outcome in outcomes if outcome.valid or outcome.reason == "wrong_code"]
    assert otp.attempts <= 5
    assert len(evaluated) <= otp.attempts
    if share_of_right_guesses == 0:
        assert Counter(outcome.reason for outcome in outcomes) == {"wrong_code": 5, "too_many_attempts": 195}
    elif share_of_right_guesses == 1:
        # Those that come before the winner has committed count as attempts.
        assert Counter(outcome.reason for outcome in outcomes)[None] == 1
        assert {outcome.reason for outcome in outcomes} <= {None, "already_used", "too_many_attempts"}
    assert sum(outcome.valid for outcome in outcomes) <= 1
