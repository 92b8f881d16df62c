"""Sending one-time passwords: what the message says, what is stored, and that both are written or neither."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from contacts.models import Contact, Suppression
from messaging.models import Message
from messaging.models.message import PRIORITY_OTP
from otp import services
from otp.codes import code_hash, code_make, code_matches
from otp.models import OneTimePassword, OtpPolicy
from tenants.errors import InvalidInput
from tests.otp.conftest import snapshot


def _body() -> str:
    return Message.objects.get().content["text"]["body"]


def test_the_code_goes_out_first_and_only_in_the_message(send, channel):
    before = timezone.now()
    sent = send(code_length=6, expires_in=120, api_key_id=7)
    message, otp = Message.objects.get(), OneTimePassword.objects.get()
    code = re.fullmatch(r"Your Demo Shop verification code: (\d{6})", _body())[1]
    assert (message.priority, message.origin, message.is_sensitive) == (PRIORITY_OTP, "otp", True)
    assert (message.uuid, otp.uuid) == (sent.message_uuid, sent.uuid)
    assert message.expires_at == otp.expires_at == sent.expires_at
    assert before + timedelta(seconds=120) <= sent.expires_at <= timezone.now() + timedelta(seconds=120)
    assert (otp.phone, otp.prefix, otp.channel_id, otp.message_uuid) == (
        "22996123456",
        "2299612",
        channel.pk,
        message.uuid,
    )
    assert (otp.api_key_id, otp.attempts, otp.max_attempts, otp.verified_at) == (7, 0, 5, None)
    assert code_matches(otp.uuid, code, otp.code_hash)
    assert code not in str(OneTimePassword.objects.values().get())


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", r"Your Demo Shop verification code: \d{6}"),
        ("fr", r"Votre code de vérification Demo Shop : \d{6}"),
        ("es", r"Su código de verificación de Demo Shop: \d{6}"),
    ],
)
def test_the_text_is_in_the_organisations_language(send, in_schema, language, text):
    in_schema.language = language
    send(organization=snapshot(in_schema))
    assert re.fullmatch(text, _body())


def test_brand_and_template_are_used_and_filled_once(send):
    send(brand_name="My {{code}} App", template="{{ brand }}: {{code}} (again {{code}})", code_length=4)
    assert re.fullmatch(r"My \{\{code\}\} App: (\d{4}) \(again \1\)", _body())


@pytest.mark.parametrize(
    "template", ["no code", "{{brand}} only", "{{code}} and {{name}}", "{{code}} {{}}", "{{CODE}}", "{{code}} {{a b}}"]
)
def test_a_template_without_code_or_with_other_places_is_refused(send, template):
    with pytest.raises(InvalidInput) as caught:
        send(template=template)
    assert (caught.value.code, set(caught.value.fields)) == ("template_invalid", {"template"})
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"code_length": 3}, "codeLength"),
        ({"code_length": 11}, "codeLength"),
        ({"expires_in": 29}, "expiresIn"),
        ({"expires_in": 3601}, "expiresIn"),
        ({"phone": "12"}, "to"),
    ],
)
def test_options_out_of_range_are_refused(send, options, field):
    with pytest.raises(InvalidInput) as caught:
        send(**options)
    assert set(caught.value.fields) == {field}
    assert not OneTimePassword.objects.exists()


@pytest.mark.parametrize("length", [4, 7, 10])
def test_codes_have_their_length_and_every_digit_everywhere(length):
    codes = [code_make(length) for _ in range(2000)]
    assert all(re.fullmatch(rf"[0-9]{{{length}}}", code) for code in codes)
    for place in range(length):
        # 200 of each are expected; 100 away is seven standard deviations.
        counts = Counter(code[place] for code in codes)
        assert len(counts) == 10
        assert all(abs(count - 200) < 100 for count in counts.values())


def test_the_hash_depends_on_the_password_the_code_and_the_secret_key(settings):
    first, second = services.uuid7(), services.uuid7()
    kept = code_hash(first, "123456")
    assert re.fullmatch(r"[0-9a-f]{64}", kept)
    assert kept not in (code_hash(second, "123456"), code_hash(first, "123457"))
    settings.SECRET_KEY = "another-secret-key-of-at-least-fifty-characters-in-length"
    assert code_hash(first, "123456") != kept


def test_a_message_that_is_refused_leaves_no_password(send):
    Suppression.objects.create(address="22996123456", reason="opt_out", scope="all")
    with pytest.raises(InvalidInput) as caught:
        send()
    assert caught.value.code == "suppressed"
    assert not OneTimePassword.objects.exists()


def test_a_password_that_cannot_be_stored_leaves_no_message(send, monkeypatch):
    monkeypatch.setattr(services, "prefix_of", lambda phone: "x" * 100)
    with pytest.raises(Exception, match="too long"):
        send()
    assert not Message.objects.exists()


def test_the_contact_is_kept_only_on_request(send):
    OtpPolicy.objects.update(resend_after_seconds=0)
    send()
    assert not Contact.objects.exists()
    send(save_contact=True)
    assert Contact.objects.get().phone == "22996123456"
