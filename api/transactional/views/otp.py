"""POST /otp/send and /otp/verify."""

from __future__ import annotations

from functools import partial

from django.http import HttpResponse

from api.transactional.documents import operation
from api.transactional.endpoint import Call, Endpoint, json_response
from api.transactional.inputs import OtpSendInput, OtpVerifyInput
from api.transactional.outputs import OtpSent, OtpVerified
from api.transactional.views.providers import provider_of
from otp.services import otp_send, otp_verify


class OtpSendView(Endpoint):
    scope = "otp:send"
    field_names = {"to": "phoneNumber", "text.body": "template"}

    @operation(
        id="sendOtp",
        tag="OTP",
        scope=scope,
        summary="Send a one-time password",
        description="Makes a code and sends it to the number, before all other messages. The code is never returned, "
        "and a code that has expired on the way is not delivered late. How many codes a number, a range of numbers and "
        "the organisation may get is limited (`otp_rate_limited`; `limit` says which one).",
        body=OtpSendInput,
        answer=OtpSent,
        done="The code is on its way.",
        errors=(
            "provider_not_found",
            "provider_not_connected",
            "idempotency_in_progress",
            "idempotency_key_reused",
            "idempotency_key_invalid",
            "template_invalid",
            "invalid_phone",
            "suppressed",
            "window_closed",
            "otp_rate_limited",
            "plan_limit_reached",
            "insufficient_credits",
            "no_price",
        ),
        idempotent=True,
    )
    def post(self, call: Call) -> HttpResponse:
        given = call.body(OtpSendInput)
        return call.answer_once(partial(_send, call, given), status=200)


class OtpVerifyView(Endpoint):
    scope = "otp:verify"

    @operation(
        id="verifyOtp",
        tag="OTP",
        scope=scope,
        summary="Verify a one-time password",
        description="Checks what the person typed. Each call uses up one of its guesses; a right code works once.",
        body=OtpVerifyInput,
        answer=OtpVerified,
        done="Whether the code was right. A wrong one is not an error of the request.",
        errors=("otp_not_found",),
    )
    def post(self, call: Call) -> HttpResponse:
        given = call.body(OtpVerifyInput)
        outcome = otp_verify(otp_uuid=given.otp_id, code=given.code, sandbox_only=call.credential.is_test)
        return json_response(OtpVerified(outcome.valid, outcome.reason, outcome.attempts_left).json())


def _send(call: Call, given: OtpSendInput) -> OtpSent:
    sent = otp_send(
        organization=call.credential.organization,
        channel=provider_of(call.credential, given.provider_id),
        phone=given.phone_number,
        code_length=given.code_length,
        expires_in=given.expires_in,
        brand_name=given.brand_name,
        template=given.template,
        save_contact=given.save_contact,
        api_key_id=call.credential.api_key_id,
    )
    return OtpSent(sent.uuid, sent.message_uuid, sent.expires_at)
