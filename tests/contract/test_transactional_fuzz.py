"""Schemathesis writes requests from our document, good and bad ones: no answer is a 5xx or leaves the document."""

from __future__ import annotations

from typing import Any

import pytest
from schemathesis import GenerationMode

from messaging.models import Message
from otp.models import OtpPolicy
from tenants.services.keys import SCOPES, api_key_create
from tests.contract.generated import answers_checked

EXAMPLES = 25


@pytest.mark.timeout(120)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_request_gets_a_5xx_or_an_answer_that_the_document_does_not_know(
    in_schema: Any, channel: Any, mode: Any
) -> None:
    OtpPolicy.objects.update(resend_after_seconds=0)
    _, plain = api_key_create(
        organization=in_schema, name="k", mode="live", scopes=SCOPES["transactional"], rate_per_minute=1_000_000
    )

    def prepare(case: Any) -> None:
        # A random provider is always unknown: with a real one the request gets further.
        if isinstance(case.body, dict) and isinstance(case.body.get("providerId"), str):
            case.body["providerId"] = str(channel.uuid)

    seen = answers_checked(
        surface="transactional",
        root="/api/v1",
        headers={"X-API-Key": plain},
        mode=mode,
        examples=EXAMPLES,
        prepare=prepare,
    )
    assert len(seen) == 8
    if mode is GenerationMode.POSITIVE:
        assert 200 in seen["GET /providers"]
        assert Message.objects.exists()
    else:
        assert all(422 in statuses for label, statuses in seen.items() if label.startswith("POST")), seen
