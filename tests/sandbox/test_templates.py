"""Templates: life cycle, paging, creation rules, and what a send of one must fit."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.conftest import NUMBER, PHONE, WABA, Graph, sample, shape
from tests.sandbox.receiver import Receiver, eventually

BODY = {"type": "BODY", "text": "Your order {{1}} is ready for you.", "example": {"body_text": [["A-1"]]}}


def create(graph: Graph, name: str = "order", components: Any = None, **more: Any) -> tuple[int, dict[str, Any]]:
    body = {"name": name, "language": "en_US", "category": "UTILITY", "components": components or [BODY], **more}
    return graph.call("POST", f"{WABA}/message_templates", body)


def approved(graph: Graph, **given: Any) -> str:
    status, answer = create(graph, **given)
    assert status == 200, answer
    template_id: str = answer["id"]
    assert eventually(lambda: graph.call("GET", template_id)[1]["status"] == "APPROVED")
    return template_id


def send(graph: Graph, *components: dict[str, Any], name: str = "order") -> tuple[int, dict[str, Any]]:
    template = {"name": name, "language": {"code": "en_US"}, "components": list(components)}
    return graph.send(type="template", template=template)


def body(*texts: str) -> dict[str, Any]:
    return {"type": "body", "parameters": [{"type": "text", "text": text} for text in texts]}


def test_a_new_template_is_pending_then_approved_with_a_webhook(graph: Graph, receiver: Receiver) -> None:
    status, answer = graph.call("POST", f"{WABA}/message_templates", sample("wa_request/template_create_positional"))
    assert status == 200
    assert shape(answer) == shape(sample("wa_response/template_create"))
    assert answer["status"] == "PENDING"
    found = eventually(lambda: [v for _, f, v in receiver.values() if f == "message_template_status_update"])
    expected = sample("wa_webhook_account/template_status_approved")["entry"][0]["changes"][0]["value"]
    assert found == [{**expected, "message_template_id": int(answer["id"])}]


def test_a_send_shows_the_filled_template_on_the_phone(graph: Graph, sandbox: Any) -> None:
    approved(graph)
    status, answer = send(graph, body("A-7"))
    assert (status, answer["messages"][0]["message_status"]) == (200, "accepted")
    assert [item["body"] for item in sandbox.inbox(PHONE)] == ["Your order A-7 is ready for you."]


def test_named_variables_are_filled_by_name(graph: Graph, sandbox: Any) -> None:
    created = sample("wa_request/template_create_named")
    assert graph.call("POST", f"{WABA}/message_templates", created)[0] == 200
    request = sample("wa_request/template_named")
    assert eventually(lambda: graph.call("POST", f"{NUMBER}/messages", request)[0] == 200)
    assert sandbox.inbox(PHONE)[0]["body"] == "Hello Ines, your visit is at 10:30 today."


def test_an_authentication_template_has_its_fixed_text(graph: Graph, sandbox: Any) -> None:
    components = [
        {"type": "BODY", "add_security_recommendation": True},
        {"type": "FOOTER", "code_expiration_minutes": 5},
        {"type": "BUTTONS", "buttons": [{"type": "OTP", "otp_type": "COPY_CODE", "text": "Copy"}]},
    ]
    approved(graph, name="login_code", components=components, category="AUTHENTICATION")
    assert graph.call("POST", f"{NUMBER}/messages", sample("wa_request/template_authentication"))[0] == 200
    shown = sandbox.inbox(PHONE)[0]
    assert shown["body"] == "*558213* is your verification code. For your security, do not share this code."
    assert shown["buttons"][0]["url"].endswith("code=otp558213")
    to_bsuid = {**sample("wa_request/template_authentication"), "to": None, "recipient": "US.7Qm2Zk81LxTe0aWv"}
    assert graph.call("POST", f"{NUMBER}/messages", to_bsuid)[1]["error"]["code"] == 131062


def test_the_same_name_and_language_is_refused_as_documented(graph: Graph) -> None:
    assert create(graph)[0] == 200
    status, answer = create(graph)
    expected = sample("wa_error/2388024_template_exists")
    assert (status, answer["error"]["error_subcode"]) == (400, 2388024)
    assert shape(answer) == shape(expected)
    assert create(graph, language="de")[0] == 200


@pytest.mark.parametrize(
    ("text", "subcode"),
    [
        ("{{1}} is ready for you today", 2388299),
        ("Your order is {{1}}", 2388299),
        ("Your order {{2}} is ready for you", 2388073),
        ("Your order {{1}} {{2}} is ready for you now", 2388073),
        ("Your order {{name}} is ready for you", 2388073),
        ("So {{1}} a {{2}} b", 2388293),
        ("x" * 1025, 2388040),
        ("", 2388073),
    ],
)
def test_a_bad_body_is_refused_with_its_subcode(graph: Graph, text: str, subcode: int) -> None:
    status, answer = create(graph, components=[{"type": "BODY", "text": text, "example": {"body_text": [["a", "b"]]}}])
    assert (status, answer["error"]["code"], answer["error"]["error_subcode"]) == (400, 100, subcode)


@pytest.mark.parametrize(
    "buttons",
    [
        [{"type": "QUICK_REPLY", "text": "x" * 26}],
        [{"type": "QUICK_REPLY", "text": str(index)} for index in range(11)],
        [{"type": "URL", "text": "a", "url": "https://e.invalid/{{1}}/x", "example": ["x"]}],
        [{"type": "URL", "text": str(index), "url": "https://e.invalid/"} for index in range(3)],
        [{"type": "PHONE_NUMBER", "text": "a", "phone_number": "1" * 21}],
        [
            {"type": "QUICK_REPLY", "text": "a"},
            {"type": "URL", "text": "b", "url": "https://e.invalid/"},
            {"type": "QUICK_REPLY", "text": "c"},
        ],
    ],
)
def test_bad_buttons_are_refused(graph: Graph, buttons: list[dict[str, Any]]) -> None:
    status, answer = create(graph, components=[BODY, {"type": "BUTTONS", "buttons": buttons}])
    assert (status, answer["error"]["code"]) == (400, 100)


def test_listing_pages_with_cursors_and_ends_without_next(graph: Graph) -> None:
    assert graph.call("GET", f"{WABA}/message_templates") == (200, sample("wa_response/templates_empty"))
    for index in range(5):
        create(graph, name=f"t{index}")
    names, after, pages = [], "", 0
    while pages < 10:
        page = graph.call("GET", f"{WABA}/message_templates", limit="2", **({"after": after} if after else {}))[1]
        names += [item["name"] for item in page["data"]]
        pages += 1
        if "next" not in page["paging"]:
            break
        after = page["paging"]["cursors"]["after"]
    assert (names, pages) == (["t0", "t1", "t2", "t3", "t4"], 3)
    assert [t["name"] for t in graph.call("GET", f"{WABA}/message_templates", name="t3")[1]["data"]] == ["t3"]
    assert graph.call("GET", f"{WABA}/message_templates", after="nonsense")[1]["error"]["code"] == 131059


def test_deleting_by_name_takes_all_languages_and_blocks_the_name(graph: Graph) -> None:
    approved(graph)
    create(graph, language="de")
    create(graph, name="other")
    assert graph.call("DELETE", f"{WABA}/message_templates", name="order") == (200, {"success": True})
    left = graph.call("GET", f"{WABA}/message_templates")[1]["data"]
    assert [item["name"] for item in left] == ["other"]
    assert create(graph)[1]["error"]["error_subcode"] == 2388023
    assert send(graph, body("x"))[1]["error"]["code"] == 132001


def test_deleting_several_ids_is_all_or_nothing(graph: Graph) -> None:
    first = create(graph, name="a")[1]["id"]
    second = create(graph, name="b")[1]["id"]
    assert graph.call("DELETE", f"{WABA}/message_templates", hsm_ids=f'["{first}","123456"]')[0] == 400
    assert len(graph.call("GET", f"{WABA}/message_templates")[1]["data"]) == 2
    assert graph.call("DELETE", f"{WABA}/message_templates", hsm_ids=f'["{first}","{second}"]')[0] == 200
    assert graph.call("GET", f"{WABA}/message_templates")[1] == {"data": []}


def test_an_edit_replaces_all_components_and_goes_back_to_review(graph: Graph) -> None:
    template_id = approved(graph, components=[BODY, {"type": "FOOTER", "text": "Bye"}])
    changed = {**BODY, "text": "Order {{1}} can be fetched now."}
    assert graph.call("POST", template_id, {"components": [changed]}) == (200, {"success": True})
    shown = graph.call("GET", template_id)[1]
    assert (shown["status"], shown["components"]) == ("PENDING", [changed])
    assert eventually(lambda: graph.call("GET", template_id)[1]["status"] == "APPROVED")
    assert graph.call("POST", template_id, {"components": [BODY]})[0] == 400


@pytest.mark.parametrize(
    ("components", "code"),
    [
        ([], 132000),
        ([body("a", "b")], 132000),
        ([body("line\nbreak")], 132018),
        ([body("five     spaces")], 132018),
        ([body("x" * 1024)], 132005),
        ([body("a"), {"type": "header", "parameters": [{"type": "text", "text": "h"}]}], 132000),
    ],
)
def test_parameters_that_do_not_fit_are_refused(graph: Graph, components: list[Any], code: int) -> None:
    approved(graph)
    status, answer = send(graph, *components)
    assert (status, answer["error"]["code"]) == (400, code)


def test_a_media_header_and_a_url_button_need_their_parameters(graph: Graph) -> None:
    header = {"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["4::aW"]}}
    url = {"type": "URL", "text": "Track", "url": "https://e.invalid/{{1}}", "example": ["https://e.invalid/1"]}
    approved(graph, components=[header, BODY, {"type": "BUTTONS", "buttons": [url]}])
    picture = {"type": "header", "parameters": [{"type": "image", "image": {"link": "https://e.invalid/a.png"}}]}
    press = {"type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "text", "text": "7"}]}
    refused = send(graph, body("a"))[1]["error"]
    assert refused["error_data"] == sample("wa_error/132012_param_format")["error"]["error_data"]
    refused = send(graph, picture, body("a"))[1]["error"]
    assert refused["error_data"] == sample("wa_error/131008_missing_parameter")["error"]["error_data"]
    assert send(graph, picture, body("a"), press)[0] == 200


def test_templates_that_are_not_approved_cannot_be_sent(graph: Graph, sandbox: Any, receiver: Receiver) -> None:
    template_id = approved(graph)
    for event, code in (("PAUSED", 132015), ("DISABLED", 132016), ("REJECTED", 132001)):
        sandbox.control("POST", "templates", {"id": template_id, "event": event})
        assert send(graph, body("x"))[1]["error"]["code"] == code
    sandbox.control("POST", "templates", {"id": template_id, "category": "MARKETING"})
    expected = sample("wa_webhook_account/template_category_update_done")["entry"][0]["changes"][0]["value"]
    found = eventually(lambda: [v for _, f, v in receiver.values() if f == "template_category_update"])
    assert [shape(value) for value in found] == [shape(expected)]


def test_an_unknown_template_passes_only_on_a_number_that_nobody_configured(graph: Graph, sandbox: Any) -> None:
    template = {"name": "gone", "language": {"code": "en_US"}, "components": [body("a", "b")]}
    assert graph.send(type="template", template=template)[1]["error"]["code"] == 132001
    assert graph.send(number="600000002", type="template", template=template)[0] == 200
    assert sandbox.inbox(PHONE)[0]["body"] == "gone (en_US): a, b"
