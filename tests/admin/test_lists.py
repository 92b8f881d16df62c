"""Lists of big tables: how many queries, how they page, count and search."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django_tenants.utils import tenant_context

from tests.admin.test_pages import OPEN_TO, SINGLE_ROW, page

# Session, user, host and membership take four of them.
MOST_QUERIES = 11


def queries_of(browser: Client, url: str) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        assert browser.get(url).status_code == 200
    noise = ("SAVEPOINT", "RELEASE", "SET ")
    return [query["sql"] for query in captured.captured_queries if not query["sql"].startswith(noise)]


@pytest.fixture
def many(organization: Any, make_channel: Callable[..., Any]) -> Any:
    """60 messages, channels and contacts each."""
    from contacts.models import Contact
    from messaging.models import Message

    channels = [make_channel(organization, name=f"Channel {number:02}") for number in range(60)]
    with tenant_context(organization):
        contacts = Contact.objects.bulk_create(
            Contact(name=f"Person {number:02}", phone=f"2299712{number:04}") for number in range(60)
        )
        Message.objects.bulk_create(
            Message(
                channel=channels[number],
                contact=contacts[number],
                address=f"2299712{number:04}",
                direction="out",
                status="delivered" if number % 2 else "queued",
                type="text",
                origin="api",
                content={"type": "text", "text": {"body": f"Parcel {number}"}},
            )
            for number in range(60)
        )
    return organization


@pytest.mark.parametrize("model", sorted(set(OPEN_TO) - SINGLE_ROW))
def test_every_list_needs_few_queries_however_many_rows(
    model: str, organization: Any, browser_of: Callable[[str], Client], fill: Callable[..., dict[str, Any]], many: Any
) -> None:
    fill(organization, "here")
    browser = browser_of("owner")
    browser.get(page(model, "changelist"))  # content types and hosts are remembered from here on

    assert len(queries_of(browser, page(model, "changelist"))) <= MOST_QUERIES


def test_the_overview_needs_few_queries_however_many_channels(browser_of: Callable[[str], Client], many: Any) -> None:
    browser = browser_of("owner")

    assert len(queries_of(browser, "/admin/")) <= MOST_QUERIES


@pytest.mark.parametrize(
    "model", ["messaging.message", "contacts.contact", "contacts.suppression", "otp.onetimepassword"]
)
def test_big_lists_never_count_all_rows(model: str, browser_of: Callable[[str], Client], many: Any) -> None:
    found = queries_of(browser_of("owner"), page(model, "changelist"))

    counts = [sql for sql in found if "COUNT(" in sql.upper()]
    assert [sql for sql in counts if "LIMIT 1001" not in sql] == []
    assert [sql for sql in found if "ILIKE" in sql.upper() or "UPPER(" in sql.upper() or "OFFSET" in sql.upper()] == []


def test_older_and_newer_lead_through_all_messages_once(browser_of: Callable[[str], Client], many: Any) -> None:
    browser, url = browser_of("viewer"), page("messaging.message", "changelist")

    first = browser.get(url).context["cl"]
    second = browser.get(url + first.older_url).context["cl"]
    back = browser.get(url + second.newer_url).context["cl"]

    ids = [message.pk for message in first.result_list] + [message.pk for message in second.result_list]
    assert (len(first.result_list), len(second.result_list)) == (40, 20)
    assert ids == sorted(ids, reverse=True) and len(set(ids)) == 60
    assert [message.pk for message in back.result_list] == [message.pk for message in first.result_list]
    assert (first.newer_url, second.older_url) == ("", "")
    assert first.count_text == "60"


def test_a_filter_starts_at_the_newest_row_again(browser_of: Callable[[str], Client], many: Any) -> None:
    browser, url = browser_of("viewer"), page("messaging.message", "changelist")
    first = browser.get(url).context["cl"]

    second = browser.get(url + first.older_url).context["cl"]

    assert "older" not in second.get_query_string({"status": "queued"})


def test_a_large_table_shows_an_estimate(
    browser_of: Callable[[str], Client], many: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("config.admin_changelist.rows_estimated", lambda model: 10_234_567)

    changelist = browser_of("viewer").get(page("messaging.message", "changelist")).context["cl"]

    assert changelist.count_text == "about 10,200,000"


@pytest.mark.parametrize(
    ("term", "addresses"),
    [
        ("+229 97 12 00 07", ["22997120007"]),
        ("2299712005", [f"229971200{number}" for number in range(59, 49, -1)]),
        ("97120007", ["22997120007"]),
        ("00000000", []),
        ("no-such-id", []),
    ],
)
def test_messages_are_found_by_number_or_its_beginning(
    term: str, addresses: list[str], browser_of: Callable[[str], Client], many: Any
) -> None:
    found = browser_of("viewer").get(page("messaging.message", "changelist"), {"q": term}).context["cl"]

    assert [message.address for message in found.result_list] == addresses


def test_messages_are_found_by_both_ids(browser_of: Callable[[str], Client], many: Any) -> None:
    from messaging.models import Message

    with tenant_context(many):
        message = Message.objects.order_by("id")[3]
        Message.objects.filter(pk=message.pk).update(provider_id="wamid.HBgL=")
    browser, url = browser_of("viewer"), page("messaging.message", "changelist")

    for term in (str(message.uuid), "wamid.HBgL="):
        assert [row.pk for row in browser.get(url, {"q": term}).context["cl"].result_list] == [message.pk]


def test_contacts_are_found_by_the_beginning_of_the_name_in_any_usual_case(
    browser_of: Callable[[str], Client], many: Any
) -> None:
    found = browser_of("viewer").get(page("contacts.contact", "changelist"), {"q": "person 05"}).context["cl"]

    assert [contact.name for contact in found.result_list] == ["Person 05"]


@pytest.mark.parametrize(
    "query", ["?status=nonsense", "?channel=abc", "?channel=99999999999999999", "?older=abc", "?q=%00", "?p=x"]
)
def test_odd_filters_do_not_break_the_list(query: str, browser_of: Callable[[str], Client], many: Any) -> None:
    assert browser_of("viewer").get(page("messaging.message", "changelist") + query).status_code == 200


def test_an_action_on_everything_that_matches_is_refused(browser_of: Callable[[str], Client], many: Any) -> None:
    from messaging.models import Message

    with tenant_context(many):
        first = Message.objects.first()
    form = {"action": "cancel_selected", "select_across": "1", "_selected_action": [first.pk], "confirmed": "yes"}

    browser_of("owner").post(page("messaging.message", "changelist"), form)

    with tenant_context(many):
        assert Message.objects.filter(status="cancelled").count() == 0


@pytest.mark.parametrize(
    ("model", "table", "index"),
    [
        ("contacts.contact", "contacts_contact", "contact_phone_once"),
        ("messaging.message", "messaging_message", "message_of_address"),
        ("contacts.suppression", "contacts_suppression", "suppression_once"),
        ("otp.onetimepassword", "otp_onetimepassword", "otp_of_phone"),
    ],
)
def test_a_number_is_searched_through_its_index(
    model: str, table: str, index: str, browser_of: Callable[[str], Client], many: Any
) -> None:
    queries = queries_of(browser_of("owner"), page(model, "changelist") + "?q=%2B22997120007")
    [search] = [query for query in queries if f'FROM "{table}"' in query and "22997120007" in query]

    assert index in plan_of(many, search)


def test_the_composer_finds_a_number_through_the_index(browser_of: Callable[[str], Client], many: Any) -> None:
    queries = queries_of(browser_of("owner"), page("campaigns.campaign", "changelist") + "contacts/?q=22997120007")
    [search] = [query for query in queries if 'FROM "contacts_contact"' in query]

    assert "contact_phone_once" in plan_of(many, search)


def plan_of(organization: Any, query: str) -> str:
    """The plan of `query` where an index is used for a condition whenever one can be, however small the table is."""
    with tenant_context(organization), connection.cursor() as cursor:
        # A scan of bitmaps needs a condition; the others could walk all rows in the order of their ids.
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off")
        cursor.execute("EXPLAIN " + query)
        return "\n".join(line for (line,) in cursor.fetchall())
