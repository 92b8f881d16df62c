"""Ten million messages: what PostgreSQL does for every statement of the engine and every list, and how long pages take.

`python -m bench plans` fails when anything reads or sorts more than 10,000 rows, and when a page's p95 reaches 300 ms.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
import requests
from django.db import connection
from django_tenants.utils import schema_context, tenant_context

from bench.engine import channel_make
from bench.explain import Plan, plan_of
from bench.filled import Filled, organization_fill
from bench.table import Row, percentile
from config.stack.instance import Instance

_SLOWEST_PAGE: Final = 0.3
# Enough that the 95th percentile is not the slowest one.
_REQUESTS: Final = 40
# Each process of the web server compiles its templates at its first page.
_WARM_UP: Final = 24
Statement = tuple[str, str | bytes, Any]


def rows_plans(instance: Instance, *, messages: int) -> Iterator[Row]:
    """Fill an organisation of its own, explain the engine's, the retention's and the pages' statements, time pages."""
    from tenants.services.organizations import organization_create

    organization = organization_create(name="Bench plans", slug="bench-plans", owner_email="owner@bench-plans.example")
    began = time.monotonic()
    filled = organization_fill(organization, messages=messages, make_channel=channel_make)
    yield Row(
        f"fill {messages:,} messages, {filled.contacts:,} contacts", f"{time.monotonic() - began:.0f} s", "< 300 s"
    )
    yield from rows_explained(organization, filled)
    browser = staff_browser(organization)
    cookies = {name: morsel.value for name, morsel in browser.cookies.items()}
    for _ in range(_WARM_UP):
        requests.get(f"{instance.base_url}/admin/", headers={"Host": organization.host}, cookies=cookies, timeout=60)
    for name, path in pages(organization):
        yield _page_row(instance, organization.host, cookies, name, path)


def rows_explained(organization: Any, filled: Filled) -> Iterator[Row]:
    """One row per statement: its nodes, buffers and time; missed when it reads or sorts too much."""
    with tenant_context(organization):
        connection.ensure_connection()
        cursor = connection.connection.cursor()
        for name, statement, params in (
            *engine_statements(filled),
            *retention_statements(),
            *report_statements(filled),
        ):
            yield _plan_row(name, plan_of(cursor, statement, params))
    browser = staff_browser(organization)
    for name, path in pages(organization):
        for number, text in enumerate(_queries_of(browser, organization, path), start=1):
            with tenant_context(organization):
                plan = plan_of(connection.connection.cursor(), text)
            yield _plan_row(f"{name}, query {number}", plan)


def _plan_row(name: str, plan: Plan) -> Row:
    value = f"{plan.ms:.1f} ms, {plan.buffers:,} buffers"
    note = "; ".join([*plan.problems, ", ".join(plan.nodes)])
    return Row(name, value, "no scan or sort > 10,000", not plan.problems, note)


def engine_statements(filled: Filled) -> list[Statement]:
    """What the dispatch workers and the status webhooks run, with the parameters that they use."""
    from messaging.dispatch import sql
    from messaging.inbound.statuses_sql import read_statement
    from messaging.models import Message
    from tenants.models import AgendaItem

    channel, own = filled.channel_ids[0], sql.statements(filled.schema)
    lane = AgendaItem.objects.get(schema=filled.schema, kind="channel", key=str(channel))
    AgendaItem.objects.filter(pk=lane.pk).update(
        fence=5, leased_until=datetime.now(UTC) + timedelta(hours=9), lease_owner="bench"
    )
    other = filled.channel_ids[1]
    seconds, window = timedelta(seconds=50), timedelta(seconds=120)
    take = {"schema": filled.schema, "channels": [other], "owners": ["x"], "wanted": [500], "lease": seconds,
            "stale": seconds}  # fmt: skip
    claim = {"lane": lane.pk, "fence": 5, "channel": channel, "limit": 500}
    sent = list(
        Message.objects.filter(channel_id=channel, status="sent")
        .order_by("-id")
        .values_list("uuid", "provider_id")[:100]
    )
    claimed = list(Message.objects.filter(channel_id=channel, status="processing").values_list("id", flat=True)[:200])
    results = [{"id": pk, "fence": 1, "status": "sent", "provider_id": f"wamid.{pk}", "code": "", "reason": "",
                "delay": None, "left_at": time.time()} for pk in claimed]  # fmt: skip
    settle = {"results": orjson.dumps(results).decode()}
    due = {"channel": channel, "policy": "fail", "reason": "x", "limit": 5000, "late": window, "window": window}
    recover = {"channel": channel, "fence": 5, "abandoned": True, "window": window, "stale": seconds, "reason": "x"}
    given = {"lane": lane.pk, "fence": 5, "channel": channel, "state": {}, "look_again": 5}
    release = {"lanes": orjson.dumps([given]).decode()}
    match = {
        "channel": channel,
        "uuids": orjson.dumps([str(uuid) for uuid, _ in sent]).decode(),
        "provider_ids": orjson.dumps([provider_id for _, provider_id in sent]).decode(),
    }
    return [
        ("engine: take a lane", own.take, take),
        ("engine: read the channel", own.channel, {"channel": channel}),
        ("engine: claim 500 of the queue", own.claim, claim),
        ("engine: settle 200", own.settle, settle),
        ("engine: take up what is due", own.due, due),
        ("engine: recover a dead owner's", own.recover, recover),
        ("engine: release a lane", own.release, release),
        ("webhook: match 100 statuses", read_statement(filled.schema), match),
    ]


def retention_statements() -> list[Statement]:
    """One step of every rule, on data of which some is too old."""
    from tenants.services.retention_rules import RowsRule, retention_rules

    statements: list[Statement] = []
    for rule in retention_rules(public=False):
        if isinstance(rule, RowsRule):
            before = datetime.now(UTC) - timedelta(days=2)
            statements.append((f"retention: one step of {rule.kind}", *rule.statement(before=before)))
    return statements


def report_statements(filled: Filled) -> list[Statement]:
    """Figures over all channels."""
    from messaging import reports

    ids = filled.channel_ids
    since = datetime.now(UTC) - timedelta(days=30)
    return [
        ("reports: figures of 30 days", reports.COUNTS_SINCE, [ids, since]),
        ("reports: queues of all channels", reports.QUEUES, {"ids": ids, "most": reports.QUEUE_COUNTED}),
    ]


def staff_browser(organization: Any) -> Any:
    """A client inside this process with an owner's session on the organisation's host."""
    from django.test import Client

    from tenants.models import Membership
    from tenants.sessions import SCHEMA_SESSION_KEY

    owner = Membership.objects.select_related("user").filter(organization=organization, role="owner").get().user
    browser = Client(HTTP_HOST=organization.host)
    browser.force_login(owner, backend="tenants.auth.MembershipBackend")
    session = browser.session
    session[SCHEMA_SESSION_KEY] = organization.schema_name
    session.save()
    return browser


def pages(organization: Any) -> list[tuple[str, str]]:
    """(name, path) of every list of the organisation's admin, with each filter, searches, and a page far back."""
    from config.admin_sites import organization_site
    from contacts.models import Contact
    from messaging.models import Channel, Message

    found = [("overview", "/admin/")]
    for model in organization_site._registry:
        opts = model._meta
        found.append((str(opts.verbose_name_plural), f"/admin/{opts.app_label}/{opts.model_name}/"))
    with tenant_context(organization):
        middle = Message.objects.order_by("-id").values_list("id", flat=True)[0] // 2
        channels = list(Channel.objects.order_by("id").values_list("pk", flat=True)[:2])
        message = Message.objects.filter(pk__lte=middle).order_by("-id").first()
        contact = Contact.objects.order_by("-id").values_list("id", flat=True)[0] - 5
    assert message is not None
    queries = {f"status {status}": f"status={status}" for status in Message.Status.values}
    queries |= {f"status {status} of a quiet channel": f"status={status}&channel={channels[1]}"
                for status in ("queued", "failed", "in_doubt", "delivered")}  # fmt: skip
    queries |= {
        "channel": f"channel={channels[1]}",
        "page in the middle": f"older={middle}",
        "failed, page in the middle": f"status=failed&older={middle}",
        "a whole number": f"q=%2B{message.address}",
        "three digits": "q=229",
        "seven digits": f"q={message.address[:-4]}",
        "nine digits": f"q={message.address[:-2]}",
        "digits of nobody": "q=229999",
        "message id": f"q={message.uuid}",
        "provider's id": f"q={message.provider_id}",
        "a number of one channel": f"q=%2B{message.address}&channel={channels[1]}",
    }
    found += [(f"messages, {name}", f"/admin/messaging/message/?{query}") for name, query in queries.items()]
    found.append(("one message", f"/admin/messaging/message/{message.pk}/change/"))
    found.append(("one contact with its conversation", f"/admin/contacts/contact/{contact}/change/"))
    found += [
        (f"contacts, {name}", f"/admin/contacts/contact/?{query}")
        for name, query in {
            "name": "q=ada+1", "first letters": "q=gb", "number": f"q=%2B{message.address}", "digits": "q=22961",
            "page in the middle": f"older={contact // 2}",
        }.items()
    ]  # fmt: skip
    found += [
        ("codes, number", "/admin/otp/onetimepassword/?q=22961000"),
        ("do not write to, number", "/admin/contacts/suppression/?q=2296900"),
        ("history, page in the middle", f"/admin/admin/logentry/?older={1000}"),
    ]
    return found


def _queries_of(browser: Any, organization: Any, path: str) -> list[str]:
    """The SELECTs of a page that read the organisation's tables, with their values."""
    from django.test.utils import CaptureQueriesContext

    # The request is served in this process, and would leave its connection in the organisation's schema.
    with CaptureQueriesContext(connection) as captured, schema_context("public"):
        answer = browser.get(path, follow=True)
    if answer.status_code != 200:
        raise RuntimeError(f"{path} answered {answer.status_code}")
    big = ("messaging_", "contacts_", "otp_", "django_admin_log")
    return [
        query["sql"]
        for query in captured.captured_queries
        if query["sql"].lstrip().upper().startswith(("SELECT", "WITH")) and any(name in query["sql"] for name in big)
    ]


def _page_row(instance: Instance, host: str, cookies: dict[str, str], name: str, path: str) -> Row:
    times = []
    with requests.Session() as session:
        for _ in range(_REQUESTS):
            began = time.monotonic()
            answer = session.get(f"{instance.base_url}{path}", headers={"Host": host}, cookies=cookies, timeout=60)
            times.append(time.monotonic() - began)
            answer.raise_for_status()
    worst = percentile(times, 0.95)
    value = f"p95 {worst * 1000:.0f} ms (median {percentile(times, 0.5) * 1000:.0f})"
    return Row(f"page: {name}", value, "< 300 ms", worst < _SLOWEST_PAGE)
