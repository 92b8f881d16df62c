"""/messages: send, analyse, history, export."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import orjson
from django.http import HttpResponse, StreamingHttpResponse
from django.utils.translation import gettext as _

from api.date_types import since_of, until_of
from api.endpoint import json_response
from api.marketing.amounts import credits_number
from api.marketing.documents import data_of, operation
from api.marketing.endpoint import Call, Endpoint, answer, answer_bytes
from api.marketing.exports import export_response
from api.marketing.inputs.messages import AnalyzeInput, ExportQuery, HistoryQuery, SendInput
from api.marketing.outputs.messages import AnalysisData, AnalyzedNumber, MessageRow, SendData, Unsent
from api.marketing.pagination import meta_of
from api.marketing.throttles import SENDING
from api.marketing.views.message_rows import STATES, message_rows
from api.problems import Problem
from campaigns.models import Run
from campaigns.services.texting import Sending, results_wait, texts_send
from contacts.phones import BadPhone, phone_normalise
from messaging.models import Message
from messaging.services.operators import numbers_analyze
from messaging.services.sent_history import HistoryFilter, sent_page

SendAnswer = data_of("SendAnswer", SendData, message=True)
AnalysisAnswer = data_of("AnalysisAnswer", AnalysisData, message=True)
MessageList = data_of("MessageList", list[MessageRow], meta=True)
MessageAnswer = data_of("MessageAnswer", MessageRow)
WAIT_MOST: Final = 25
_DOCUMENTED: Final = ("airtel", "moov", "unknown")
# RFC 7240: preferences are separated by commas, further parameters by semicolons.
_WAIT: Final = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,6})\"?\s*(?=$|[,;])", re.IGNORECASE)


class SendView(Endpoint):
    scope = "send_sms"
    rate = SENDING
    field_names = {"to": "recipients", "text.body": "message"}

    @operation(
        id="sendMessages",
        tag="Messages",
        summary="Send a message",
        description="To one or many numbers. `sent` counts what was accepted; with the header `Prefer: wait=N` the "
        f"answer waits up to N seconds (at most {WAIT_MOST}) for what became of it. At most 60 requests a minute. "
        "Triggers `message.sent` or `message.failed`.",
        body=SendInput,
        answer=SendAnswer,
        done="What was accepted, and what was not.",
        errors=("insufficient_credits", "plan_limit_reached", "channel_not_connected", "idempotency_in_progress"),
        idempotent=True,
    )
    def post(self, call: Call) -> HttpResponse:
        given = call.body(SendInput)
        wait = _wait_of(call)

        def effect() -> bytes:
            done = texts_send(
                organization=call.credential.organization,
                membership_id=call.credential.membership_id,
                phones=given.recipients,
                text=given.message,
                channel_id=given.channel_id,
            )
            return answer_bytes(_send_data(done), message=_("Sending finished"))

        response = call.body_once(effect, status=200)
        return _waited(response, wait) if wait else response


class AnalyzeView(Endpoint):
    scope = "send_sms"

    @operation(
        id="analyzeNumbers",
        tag="Messages",
        summary="Analyse numbers",
        description="Whose numbers they are, before anything is sent.",
        body=AnalyzeInput,
        answer=AnalysisAnswer,
        done="Each number's operator, and how many each has.",
    )
    def post(self, call: Call) -> HttpResponse:
        given = call.body(AnalyzeInput)
        found = numbers_analyze(phones=given.phone_numbers, country=call.credential.organization.default_country)
        data = AnalysisData(
            total=found.total,
            airtel_count=found.counts.get("airtel", 0),
            moov_count=found.counts.get("moov", 0),
            unknown_count=found.counts.get("unknown", 0),
            by_operator=by_operator(found.counts),
            details=[AnalyzedNumber(number.given, number.operator, number.is_valid) for number in found.numbers],
        )
        return answer(data, message=_("Analysis finished"))


class HistoryView(Endpoint):
    scope = "view_history"

    @operation(
        id="listMessages",
        tag="Messages",
        summary="Message history",
        description="What was sent, the newest first. Members with the role sender see what they sent themselves.",
        query=HistoryQuery,
        answer=MessageList,
        done="A page of messages.",
        errors=("validation_failed",),
    )
    def get(self, call: Call) -> HttpResponse:
        asked = call.query(HistoryQuery)
        rows, has_more = sent_page(_filter(call, asked), page=asked.page, per_page=asked.per_page)
        return answer(message_rows(rows), meta=meta_of(asked, has_more))


class MessageView(Endpoint):
    scope = "view_history"

    @operation(
        id="getMessage",
        tag="Messages",
        summary="Show a message",
        description="One message and what became of it.",
        answer=MessageAnswer,
        done="The message.",
        errors=("message_not_found",),
        path={"id": "The message's id."},
    )
    def get(self, call: Call, id: int) -> HttpResponse:
        rows = Message.objects.filter(pk=id, direction=Message.Direction.OUT).select_related("channel", "contact")
        if call.credential.sees_own_only:
            rows = rows.filter(membership_id=call.credential.membership_id)
        found = rows.first()
        if found is None:
            raise Problem("message_not_found", "")
        return answer(message_rows([found])[0])


class ExportView(Endpoint):
    scope = "export_data"

    @operation(
        id="exportMessages",
        tag="Messages",
        summary="Export the message history",
        description="The same filters as the history; a file as CSV, XLSX or JSON, streamed. Cells that a spreadsheet "
        "would take for formulas are made harmless.",
        query=ExportQuery,
        answer=MessageList,
        done="A file.",
        errors=("validation_failed",),
    )
    def get(self, call: Call) -> HttpResponse | StreamingHttpResponse:
        asked = call.query(ExportQuery)
        if "view_history" not in call.credential.scopes:
            raise Problem("scope_missing", "")
        return export_response(asked.format, _filter(call, asked), organization=call.credential.organization)


def _filter(call: Call, asked: HistoryQuery | ExportQuery) -> HistoryFilter:
    organization = call.credential.organization
    runs = None
    if asked.campaign_id is not None:
        runs = tuple(Run.objects.filter(campaign_id=asked.campaign_id).values_list("pk", flat=True)[:1000])
    return HistoryFilter(
        statuses=None if asked.status is None else STATES[asked.status],  # type: ignore[index]
        since=since_of(asked.start_date, organization.time_zone),
        until=until_of(asked.end_date, organization.time_zone),
        address=None if asked.recipient is None else _address(asked.recipient, organization.default_country),
        membership_id=call.credential.membership_id if call.credential.sees_own_only else None,
        run_ids=runs,
    )


def _address(value: str, country: str) -> str:
    """As numbers are stored; what is none finds nothing."""
    try:
        return phone_normalise(value, country)
    except BadPhone:
        return value


def by_operator(counts: Mapping[str, int]) -> dict[str, int]:
    """Operator -> numbers; those of the document are always there."""
    return {**dict.fromkeys(_DOCUMENTED, 0), **counts}


def _send_data(done: Sending) -> SendData:
    return SendData(
        total=done.total,
        sent=len(done.message_ids),
        failed=len(done.rejections),
        pending=0,
        sms_count=done.segments,
        total_cost=credits_number(done.cost),
        by_operator=by_operator(done.by_operator),
        message_ids=done.message_ids,
        failures=[Unsent(refused.to, refused.code, refused.reason) for refused in done.rejections],
    )


def _wait_of(call: Call) -> int:
    found = _WAIT.search(call.request.headers.get("Prefer", ""))
    return min(int(found[1]), WAIT_MOST) if found else 0


def _waited(response: HttpResponse, seconds: int) -> HttpResponse:
    """The same answer with what became of the messages by now."""
    document = orjson.loads(response.content)
    data = document["data"]
    result = results_wait(message_ids=data["message_ids"], seconds=seconds)
    failures = [
        {"recipient": failure.recipient, "code": failure.code, "error": failure.reason} for failure in result.failures
    ]
    data |= {
        "sent": result.sent,
        "failed": data["failed"] + len(failures),
        "pending": result.pending,
        "failures": [*data["failures"], *failures],
    }
    waited = json_response(orjson.dumps(document), response.status_code)
    waited["Preference-Applied"] = f"wait={seconds}"
    if "Idempotent-Replayed" in response:
        waited["Idempotent-Replayed"] = response["Idempotent-Replayed"]
    return waited
