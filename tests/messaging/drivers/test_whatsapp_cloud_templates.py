"""Templates: all rules at once before Meta sees them, and what a message must fill in."""

from __future__ import annotations

from typing import Any

import pytest

from messaging.drivers.base import ContentError, HttpResponse, SendError
from messaging.drivers.templates import CursorLost, TemplateDraft
from messaging.drivers.whatsapp_cloud.driver import WhatsAppCloudDriver
from tests.messaging.drivers import samples

DRIVER = WhatsAppCloudDriver()
BODY = {
    "type": "BODY",
    "text": "Hello {{1}}, your order {{2}} is ready.",
    "example": {"body_text": [["Ada", "1042"]]},
}


def draft(*components: Any, **fields: Any) -> TemplateDraft:
    values = {"name": "order_ready", "language": "en_US", "category": "UTILITY", "components": list(components)}
    return TemplateDraft(**(values | fields))


def problems(*components: Any, **fields: Any) -> dict[str, str]:
    """Path -> reason; empty for a good template."""
    try:
        DRIVER.check_template(draft(*components, **fields))
    except ContentError as error:
        return error.fields
    return {}


def body(text: str, *examples: str) -> dict[str, Any]:
    return {"type": "BODY", "text": text} | ({"example": {"body_text": [list(examples)]}} if examples else {})


def buttons(*given: dict[str, Any]) -> dict[str, Any]:
    return {"type": "BUTTONS", "buttons": list(given)}


REPLY = {"type": "QUICK_REPLY", "text": "Yes"}
URL = {"type": "URL", "text": "Track", "url": "https://shop.example/t/{{1}}", "example": ["https://shop.example/t/7"]}
CALL = {"type": "PHONE_NUMBER", "text": "Call", "phone_number": "+22997000000"}
GOOD = {
    "body alone": (body("Your order is ready."),),
    "every part": (
        {"type": "HEADER", "format": "TEXT", "text": "Order {{1}}", "example": {"header_text": ["1042"]}},
        BODY,
        {"type": "FOOTER", "text": "Reply STOP to end"},
        buttons(
            REPLY, REPLY | {"text": "No"}, URL, {"type": "PHONE_NUMBER", "text": "Call", "phone_number": "+2299700"}
        ),
    ),
    "lower case types": ({"type": "body", "text": "Your order is ready."},),
    "media header": (
        {"type": "HEADER", "format": "IMAGE", "example": {"header_handle": ["4::aW1"]}},
        body("Your order is ready."),
    ),
    "location header": ({"type": "HEADER", "format": "LOCATION"}, body("Meet us here.")),
    "coupon": (body("Your discount waits."), buttons({"type": "COPY_CODE", "example": "SAVE20"})),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_template_that_keeps_the_rules_passes(name: str) -> None:
    assert problems(*GOOD[name]) == {}


@pytest.mark.parametrize(
    ("components", "path", "reason"),
    [
        ([], "components", "has 0 entries"),
        ([{"type": "FOOTER", "text": "x"}], "components", "must have a BODY"),
        ([BODY, BODY], "components.1.type", "must be unique"),
        ([BODY, {"type": "SIDEBAR"}], "components.1.type", "must be one of"),
        ([body("x" * 1025)], "components.0.text", "at most 1024"),
        ([body("")], "components.0.text", "must not be empty"),
        ([body("{{1}} is your order number today", "a")], "components.0.text", "begin or end"),
        ([body("Your order number is {{1}}", "a")], "components.0.text", "begin or end"),
        ([body("Dear {{1}} {{2}} your order is ready", "a", "b")], "components.0.text", "between two variables"),
        ([body("Dear {{1}}, order {{3}} is ready now", "a", "b")], "components.0.text", "without gaps"),
        ([body("Dear {{1}}, order {{name}} is ready", "a")], "components.0.text", "mixes"),
        ([body("Dear {{name}}, it is ready", "a")], "components.0.text", "NAMED"),
        ([body("Dear {{1}, it is ready")], "components.0.text", "braces"),
        ([body("a {{1}} b {{2}} c", "x", "y")], "components.0.text", "too many variables"),
        ([body("Dear {{1}}, it is ready")], "components.0.example.body_text", "list of lists"),
        ([body("Dear {{1}}, it is ready", "a", "b")], "components.0.example.body_text", "as there are variables: 1"),
        ([{"type": "HEADER", "format": "TEXT", "text": "x" * 61}, BODY], "components.0.text", "at most 60"),
        ([{"type": "HEADER", "format": "TEXT", "text": "a\nb"}, BODY], "components.0.text", "line breaks"),
        ([{"type": "HEADER", "format": "TEXT", "text": "{{1}} {{2}}"}, BODY], "components.0.text", "2 variables"),
        ([{"type": "HEADER", "format": "IMAGE"}, BODY], "components.0.example.header_handle", "handle"),
        ([{"type": "HEADER", "format": "AUDIO"}, BODY], "components.0.format", "must be one of"),
        ([BODY, {"type": "FOOTER", "text": "Ask {{1}}"}], "components.1.text", "must not have variables"),
        ([BODY, {"type": "FOOTER", "text": "x" * 61}], "components.1.text", "at most 60"),
        ([BODY, buttons()], "components.1.buttons", "1 to 10"),
        ([BODY, buttons(*[REPLY] * 11)], "components.1.buttons", "1 to 10"),
        ([BODY, buttons(URL, URL, URL)], "components.1.buttons", "at most 2"),
        ([BODY, buttons(REPLY, URL, REPLY)], "components.1.buttons", "next to each other"),
        ([BODY, buttons(REPLY | {"text": "x" * 26})], "components.1.buttons.0.text", "at most 25"),
        ([BODY, buttons(URL | {"url": "ftp://x.example"})], "components.1.buttons.0.url", "http"),
        ([BODY, buttons(URL | {"url": "https://x.example/{{1}}/a"})], "components.1.buttons.0.url", "at its end"),
        ([BODY, buttons(URL | {"example": []})], "components.1.buttons.0.example", "example"),
        ([BODY, buttons({"type": "COPY_CODE", "example": "x" * 21})], "components.1.buttons.0.example", "1 to 20"),
        (
            [BODY, buttons({"type": "PHONE_NUMBER", "text": "Call", "phone_number": "1" * 21})],
            "components.1.buttons.0.phone_number",
            "at most 20",
        ),
        ([BODY, buttons({"type": "OTP", "otp_type": "COPY_CODE"})], "components.1.buttons.0.type", "AUTHENTICATION"),
        (["BODY"], "components.0", "must be an object"),
        ([body("a\ud800b ready")], "components.0.text", "cannot be sent"),
    ],
)
def test_each_broken_rule_is_named_with_its_place(components: list[Any], path: str, reason: str) -> None:
    assert reason in problems(*components)[path]


def test_all_problems_come_in_one_answer() -> None:
    found = problems(
        body("{{1}} x"),
        {"type": "FOOTER", "text": "{{1}}"},
        name="Bad Name",
        language="english",
        category="FUN",
        parameter_format="ODD",
    )
    assert set(found) == {
        "name",
        "language",
        "category",
        "parameterFormat",
        "components.0.text",
        "components.0.example.body_text",
        "components.1.text",
    }


def test_authentication_templates_have_metas_own_texts() -> None:
    parts = [
        {"type": "BODY", "add_security_recommendation": True},
        {"type": "FOOTER", "code_expiration_minutes": 5},
        buttons({"type": "OTP", "otp_type": "COPY_CODE"}),
    ]
    assert problems(*parts, category="AUTHENTICATION") == {}
    assert set(problems(BODY, category="AUTHENTICATION")) == {"components.0.text"}
    late = [parts[0], {"type": "FOOTER", "code_expiration_minutes": 91}]
    assert set(problems(*late, category="AUTHENTICATION")) == {"components.1.code_expiration_minutes"}


def test_named_variables_need_named_examples() -> None:
    text = {"type": "BODY", "text": "Hello {{first_name}}, your order is ready."}
    params = [{"param_name": "first_name", "example": "Ada"}]
    good = text | {"example": {"body_text_named_params": params}}
    assert problems(good, parameter_format="NAMED") == {}
    assert set(problems(text, parameter_format="NAMED")) == {"components.0.example.body_text_named_params"}
    assert (
        "lower_snake"
        in problems(text | {"text": "Hello {{Name}}, it is ready"}, parameter_format="NAMED")["components.0.text"]
    )


def test_missing_example_values_are_filled_in() -> None:
    plain = draft({"type": "BODY", "text": "Hola {{1}}, tu factura de {{2}} ya está lista."}, language="es")
    done = DRIVER.complete_template(plain)
    DRIVER.check_template(done)
    assert done.components[0]["example"] == {"body_text": [["[1]", "[2]"]]}
    named = draft({"type": "BODY", "text": "Hello {{name}}, it is ready."}, parameter_format="NAMED")
    DRIVER.check_template(DRIVER.complete_template(named))


# Sending: what the template asks for against what the message gives.


def message(*components: dict[str, Any]) -> dict[str, Any]:
    template: dict[str, Any] = {"name": "order_ready", "language": {"code": "en_US"}}
    return {"type": "template", "template": template | ({"components": list(components)} if components else {})}


def texts(kind: str, *values: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "parameters": [{"type": "text", "text": value} for value in values]} | more


def wrong(components: list[Any], *given: dict[str, Any], named: bool = False) -> dict[str, str]:
    try:
        DRIVER.check_template_values(components, "NAMED" if named else "POSITIONAL", message(*given))
    except ContentError as error:
        return error.fields
    return {}


FULL = list(GOOD["every part"])


def test_a_message_that_fills_everything_passes() -> None:
    track = texts("button", "7", sub_type="url", index="2")
    assert wrong(FULL, texts("header", "1042"), texts("body", "Ada", "1042"), track) == {}
    assert wrong([body("Your order is ready.")]) == {}


def test_missing_and_superfluous_values_are_named() -> None:
    assert wrong(FULL, texts("body", "Ada")) == {
        "template.components": "values for the template's header: 1 needed, 0 given",
        "template.components.0": "values for the template's body: 2 needed, 1 given",
    }
    assert wrong([body("Ready.")], texts("body", "x")) == {
        "template.components.0": "values for the template's body: 0 needed, 1 given"
    }
    assert wrong([BODY], texts("body", "a", "b"), texts("button", "x", sub_type="url", index="0")) == {
        "template.components.1": "the template has no button 0"
    }


def test_a_media_header_needs_its_file() -> None:
    parts = list(GOOD["media header"])
    assert "type image" in wrong(parts)["template.components"]
    image = {"type": "header", "parameters": [{"type": "image", "image": {"link": "https://x.example/a.jpg"}}]}
    assert wrong(parts, image) == {}
    assert "type image" in wrong(parts, texts("header", "x"))["template.components.0"]


def test_named_values_must_have_the_templates_names() -> None:
    template = [{"type": "BODY", "text": "Hello {{first_name}}, it is ready."}]
    given = {"type": "body", "parameters": [{"type": "text", "text": "Ada", "parameter_name": "first_name"}]}
    assert wrong(template, given, named=True) == {}
    given["parameters"][0]["parameter_name"] = "name"  # type: ignore[index]
    assert "first_name" in wrong(template, given, named=True)["template.components.0"]


# Answers of Meta.


def answer(group: str, name: str, status: int = 200) -> HttpResponse:
    return HttpResponse(status, samples.raw(group, name))


@samples.needed
def test_pages_are_read_until_there_is_no_next() -> None:
    first = DRIVER.read_template_list(answer("wa_response", "templates_page1"))
    assert first.after
    assert [item.name for item in first.templates][:2] == ["order_ready_2", "promo_may"]
    last = DRIVER.read_template_list(answer("wa_response", "templates_last_page"))
    assert (last.after, [(item.name, item.language, item.status, item.category) for item in last.templates]) == (
        "",
        [("login_code", "en_US", "APPROVED", "AUTHENTICATION")],
    )
    assert DRIVER.read_template_list(answer("wa_response", "templates_empty")).templates == ()


@samples.needed
def test_a_refusal_carries_metas_words() -> None:
    with pytest.raises(SendError, match=r"already English \(US\) content"):
        DRIVER.read_template_create(answer("wa_error", "2388024_template_exists", 400))
    created = DRIVER.read_template_create(answer("wa_response", "template_create"))
    assert (created.provider_id, created.status, created.category) == ("1422038811905577", "PENDING", "UTILITY")


def test_a_lost_cursor_says_start_again() -> None:
    with pytest.raises(CursorLost):
        DRIVER.read_template_list(HttpResponse(400, b'{"error":{"code":131059,"message":"x"}}'))
