"""Meta's limits: the longest content that is allowed, and what one more character gives."""

from __future__ import annotations

from typing import Any

import pytest

from messaging.drivers.base import ContentError
from messaging.drivers.whatsapp_cloud.driver import WhatsAppCloudDriver

DRIVER = WhatsAppCloudDriver()
LINK = "https://cdn.example.com/a.png"


def _interactive(kind: str, action: Any, **fields: Any) -> dict[str, Any]:
    return {"type": "interactive", "interactive": {"type": kind, "body": {"text": "b"}, "action": action} | fields}


def _buttons(*titles: str, ids: tuple[str, ...] = (), **fields: Any) -> dict[str, Any]:
    rows = [
        {"type": "reply", "reply": {"id": ids[n] if ids else f"id{n}", "title": title}}
        for n, title in enumerate(titles)
    ]
    return _interactive("button", {"buttons": rows}, **fields)


def _row(n: int, **fields: Any) -> dict[str, Any]:
    return {"id": f"row{n}", "title": "t"} | fields


def _list(*sections: dict[str, Any], button: str = "Open", **fields: Any) -> dict[str, Any]:
    return _interactive("list", {"button": button, "sections": list(sections)}, **fields)


def _flow(**parameters: Any) -> dict[str, Any]:
    base = {"flow_message_version": "3", "flow_id": "1", "flow_cta": "Go"}
    return _interactive("flow", {"name": "flow", "parameters": base | parameters})


def _template(*components: Any, **fields: Any) -> dict[str, Any]:
    return {
        "type": "template",
        "template": {"name": "order_1", "language": {"code": "en_US"}, "components": list(components)} | fields,
    }


def _body(*texts: str, names: tuple[str | None, ...] = ()) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [{"type": "text", "text": text} for text in texts]
    for parameter, name in zip(parameters, names, strict=False):
        if name is not None:
            parameter["parameter_name"] = name
    return {"type": "body", "parameters": parameters}


def _button(sub_type: str, index: Any, parameter: Any) -> dict[str, Any]:
    return {"type": "button", "sub_type": sub_type, "index": index, "parameters": [parameter]}


CARD = {"name": {"formatted_name": "A", "first_name": "A"}, "phones": [{"phone": "+1555", "type": "WORK"}]}

GOOD = {
    "longest text": {"type": "text", "text": {"body": "x" * 4096, "preview_url": True}},
    "image by link": {"type": "image", "image": {"link": LINK, "caption": "c" * 1024}},
    "document by id": {"type": "document", "document": {"id": "1", "filename": "a.pdf", "caption": "c"}},
    "voice": {"type": "audio", "audio": {"id": "1", "voice": True}},
    "sticker": {"type": "sticker", "sticker": {"id": "1"}},
    "location as texts": {"type": "location", "location": {"latitude": "-90", "longitude": "180.0", "name": "N"}},
    "most cards": {"type": "contacts", "contacts": [CARD] * 257},
    "card with a WhatsApp id only": {"type": "contacts", "contacts": [CARD | {"phones": [{"wa_id": "1555"}]}]},
    "birthday": {"type": "contacts", "contacts": [CARD | {"birthday": "1990-12-31"}]},
    "reaction": {"type": "reaction", "reaction": {"message_id": "wamid.1", "emoji": "👩‍👩‍👧‍👦"}},
    "keycap reaction": {"type": "reaction", "reaction": {"message_id": "wamid.1", "emoji": "1️⃣"}},
    "reaction removed": {"type": "reaction", "reaction": {"message_id": "wamid.1", "emoji": ""}},
    "longest buttons": _buttons(*(f"{n}" + "t" * 19 for n in range(3)), ids=("a" * 256, "b", "c")),
    "longest frame": _buttons(
        "t", header={"type": "text", "text": "h" * 60}, body={"text": "b" * 1024}, footer={"text": "f" * 60}
    ),
    "buttons under an image": _buttons("t", header={"type": "image", "image": {"link": LINK}}),
    "longest list": _list(
        {"title": "s" * 24, "rows": [_row(n, id=f"{n}" + "i" * 199, title="t" * 24) for n in range(5)]},
        {"title": "s", "rows": [_row(n + 5, description="d" * 72) for n in range(5)]},
        button="b" * 20,
        body={"text": "b" * 4096},
    ),
    "one section needs no title": _list({"rows": [_row(1)]}),
    "link": _interactive("cta_url", {"name": "cta_url", "parameters": {"display_text": "d" * 20, "url": LINK}}),
    "flow": _flow(flow_cta="c" * 30, mode="draft", flow_action="navigate", flow_action_payload={"screen": "S"}),
    "flow by name": _flow(flow_id=None, flow_name="book"),
    "flow with data": _flow(flow_action="data_exchange", flow_action_payload={"data": {}}),
    "location request": _interactive("location_request_message", {"name": "send_location"}),
    "plain template": {"type": "template", "template": {"name": "hello", "language": {"code": "fr"}}},
    "template of everything": _template(
        {"type": "header", "parameters": [{"type": "document", "document": {"link": LINK, "filename": "a.pdf"}}]},
        _body("x" * 1024, "y"),
        _button("quick_reply", "0", {"type": "payload", "payload": "P"}),
        _button("url", 1, {"type": "text", "text": "u" * 2000}),
        _button("copy_code", "2", {"type": "coupon_code", "coupon_code": "c" * 20}),
        _button("flow", "3", {"type": "action", "action": {"flow_token": "t"}}),
        _button("catalog", "4", {"type": "action", "action": {}}),
    ),
    "types in capitals": _template({"type": "BODY", "parameters": []}),
    "named variables": _template(_body("a", "b", names=("first_name", "slot"))),
    "currency and date": _template(
        {
            "type": "body",
            "parameters": [
                {"type": "currency", "currency": {"fallback_value": "$1", "code": "USD", "amount_1000": 1000}},
                {"type": "date_time", "date_time": {"fallback_value": "today"}},
            ],
        }
    ),
    "place in the header": _template(
        {"type": "header", "parameters": [{"type": "location", "location": {"latitude": 1, "longitude": 2}}]}
    ),
    "four spaces": _template(_body("a    b")),
}

BAD: dict[str, tuple[Any, set[str]]] = {
    "nothing": ({}, {"type"}),
    "unknown type": ({"type": "fax"}, {"type"}),
    "type that is no text": ({"type": ["text"]}, {"type"}),
    "no text object": ({"type": "text"}, {"text"}),
    "text as a string": ({"type": "text", "text": "Hi"}, {"text"}),
    "text too long": ({"type": "text", "text": {"body": "x" * 4097}}, {"text.body"}),
    "text empty": ({"type": "text", "text": {"body": "  "}}, {"text.body"}),
    "text as a number": (
        {"type": "text", "text": {"body": 5, "preview_url": "yes"}},
        {"text.body", "text.preview_url"},
    ),
    "NUL": ({"type": "text", "text": {"body": "a\x00b"}}, {"text.body"}),
    "half a surrogate": ({"type": "text", "text": {"body": "a", "x": ["\ud83d"]}}, {"text.x.0"}),
    "no file": ({"type": "image", "image": {}}, {"image"}),
    "file twice": ({"type": "image", "image": {"id": "1", "link": LINK}}, {"image"}),
    "file link": ({"type": "image", "image": {"link": "ftp://x/a.png"}}, {"image.link"}),
    "script link": ({"type": "image", "image": {"link": "javascript:alert(1)"}}, {"image.link"}),
    "link with a password": ({"type": "image", "image": {"link": "https://u:p@x/a.png"}}, {"image.link"}),
    "link with a space": ({"type": "image", "image": {"link": "https://x/a b"}}, {"image.link"}),
    "caption too long": ({"type": "video", "video": {"id": "1", "caption": "c" * 1025}}, {"video.caption"}),
    "caption of audio": (
        {"type": "audio", "audio": {"id": "1", "caption": "c", "voice": 1}},
        {"audio.caption", "audio.voice"},
    ),
    "caption of a sticker": ({"type": "sticker", "sticker": {"id": "1", "caption": "c"}}, {"sticker.caption"}),
    "off the globe": (
        {"type": "location", "location": {"latitude": 90.1, "longitude": "-180.5"}},
        {"location.latitude", "location.longitude"},
    ),
    "no coordinates": (
        {"type": "location", "location": {"latitude": "north", "longitude": True}},
        {"location.latitude", "location.longitude"},
    ),
    "not a number": (
        {"type": "location", "location": {"latitude": "nan", "longitude": "inf"}},
        {"location.latitude", "location.longitude"},
    ),
    "no card": ({"type": "contacts", "contacts": []}, {"contacts"}),
    "cards as an object": ({"type": "contacts", "contacts": CARD}, {"contacts"}),
    "too many cards": ({"type": "contacts", "contacts": [CARD] * 258}, {"contacts"}),
    "card without a name": (
        {"type": "contacts", "contacts": [CARD, {"phones": [{"type": "HOME"}], "birthday": "1.1.90"}, 3]},
        {"contacts.1.name", "contacts.1.phones.0.phone", "contacts.1.birthday", "contacts.2"},
    ),
    "reaction with words": (
        {"type": "reaction", "reaction": {"emoji": "good"}},
        {"reaction.message_id", "reaction.emoji"},
    ),
    "reaction without emoji": ({"type": "reaction", "reaction": {"message_id": "wamid.1"}}, {"reaction.emoji"}),
    "unknown interactive": (_interactive("carousel", {}), {"interactive.type"}),
    "no buttons": (_buttons(), {"interactive.action.buttons"}),
    "four buttons": (_buttons("a", "b", "c", "d"), {"interactive.action.buttons"}),
    "button title": (_buttons("t" * 21), {"interactive.action.buttons.0.reply.title"}),
    "button id": (_buttons("t", ids=("i" * 257,)), {"interactive.action.buttons.0.reply.id"}),
    "same ids": (_buttons("a", "b", ids=("x", "x")), {"interactive.action.buttons.1.reply.id"}),
    "same titles": (_buttons("a", "b", "a"), {"interactive.action.buttons.2.reply.title"}),
    "long frame": (
        _buttons("t", header={"type": "text", "text": "h" * 61}, body={"text": "b" * 1025}, footer={"text": "f" * 61}),
        {"interactive.header.text", "interactive.body.text", "interactive.footer.text"},
    ),
    "header type": (_buttons("t", header={"type": "sticker"}), {"interactive.header.type"}),
    "header without its file": (_buttons("t", header={"type": "image"}), {"interactive.header.image"}),
    "picture over a list": (
        _list({"rows": [_row(1)]}, header={"type": "image", "image": {"id": "1"}}),
        {"interactive.header.type"},
    ),
    "eleven rows in all": (
        _list(
            {"title": "a", "rows": [_row(n) for n in range(6)]}, {"title": "b", "rows": [_row(n + 6) for n in range(5)]}
        ),
        {"interactive.action.sections"},
    ),
    "eleven sections": (
        _list(*({"title": f"s{n}", "rows": [_row(n)]} for n in range(11))),
        {"interactive.action.sections"},
    ),
    "sections without titles": (
        _list({"rows": [_row(1)]}, {"rows": [_row(2)]}),
        {"interactive.action.sections.0.title", "interactive.action.sections.1.title"},
    ),
    "long list": (
        _list(
            {"title": "s" * 25, "rows": [_row(1, id="i" * 201, title="t" * 25, description="d" * 73)]},
            button="b" * 21,
            body={"text": "b" * 4097},
        ),
        {
            "interactive.action.button",
            "interactive.action.sections.0.title",
            "interactive.action.sections.0.rows.0.id",
            "interactive.action.sections.0.rows.0.title",
            "interactive.action.sections.0.rows.0.description",
            "interactive.body.text",
        },
    ),
    "same rows": (_list({"rows": [_row(1), _row(1)]}), {"interactive.action.sections.0.rows.1.id"}),
    "link label": (
        _interactive("cta_url", {"name": "x", "parameters": {"display_text": "d" * 21, "url": "x"}}),
        {
            "interactive.action.name",
            "interactive.action.parameters.display_text",
            "interactive.action.parameters.url",
        },
    ),
    "flow label": (_flow(flow_cta="c" * 31), {"interactive.action.parameters.flow_cta"}),
    "flow twice": (_flow(flow_name="n"), {"interactive.action.parameters.flow_id"}),
    "flow version": (_flow(flow_message_version="2"), {"interactive.action.parameters.flow_message_version"}),
    "flow without a screen": (
        _flow(mode="test", flow_action_payload={}),
        {"interactive.action.parameters.mode", "interactive.action.parameters.flow_action_payload.screen"},
    ),
    "location request with a footer": (
        _interactive("location_request_message", {"name": "go"}, footer={"text": "f"}),
        {"interactive.footer", "interactive.action.name"},
    ),
    "template name": (_template(name="Order-1"), {"template.name"}),
    "template language": (_template(language={"code": "English"}), {"template.language.code"}),
    "template without anything": ({"type": "template", "template": {}}, {"template.name", "template.language"}),
    "component type": (_template({"type": "footer"}), {"template.components.0.type"}),
    "two bodies": (_template(_body("a"), _body("b")), {"template.components.1"}),
    "line break in a value": (_template(_body("a\nb")), {"template.components.0.parameters.0.text"}),
    "tab in a value": (_template(_body("a\tb")), {"template.components.0.parameters.0.text"}),
    "five spaces in a value": (_template(_body("a     b")), {"template.components.0.parameters.0.text"}),
    "empty value": (_template(_body("")), {"template.components.0.parameters.0.text"}),
    "value too long": (_template(_body("x" * 1025)), {"template.components.0.parameters.0.text"}),
    "mixed variables": (
        _template(_body("a", "b", names=("first", None))),
        {"template.components.0.parameters.1.parameter_name"},
    ),
    "variable name": (_template(_body("a", names=("First",))), {"template.components.0.parameters.0.parameter_name"}),
    "same variables": (
        _template(_body("a", "b", names=("x", "x"))),
        {"template.components.0.parameters.1.parameter_name"},
    ),
    "image in the body": (
        _template({"type": "body", "parameters": [{"type": "image", "image": {"id": "1"}}]}),
        {"template.components.0.parameters.0.type"},
    ),
    "two headers in one": (
        _template({"type": "header", "parameters": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}),
        {"template.components.0.parameters"},
    ),
    "header too long": (
        _template({"type": "header", "parameters": [{"type": "text", "text": "a" * 61}]}),
        {"template.components.0.parameters.0.text"},
    ),
    "button index": (
        _template(_button("url", "10", {"type": "text", "text": "x"})),
        {"template.components.0.index"},
    ),
    "same button": (
        _template(
            _button("url", "1", {"type": "text", "text": "x"}),
            _button("quick_reply", 1, {"type": "payload", "payload": "x"}),
        ),
        {"template.components.1"},
    ),
    "button parameter": (
        _template(_button("url", "0", {"type": "payload", "payload": "x"})),
        {"template.components.0.parameters.0.type"},
    ),
    "coupon too long": (
        _template(_button("copy_code", "0", {"type": "coupon_code", "coupon_code": "c" * 21})),
        {"template.components.0.parameters.0.coupon_code"},
    ),
    "button kind": (_template(_button("call", "0", {"type": "text", "text": "x"})), {"template.components.0.sub_type"}),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_meta_takes_is_fit(name: str) -> None:
    DRIVER.validate(GOOD[name])


@pytest.mark.parametrize("name", BAD)
def test_what_meta_refuses_is_refused_with_every_field_named(name: str) -> None:
    content, fields = BAD[name]
    with pytest.raises(ContentError) as refused:
        DRIVER.validate(content)
    assert set(refused.value.fields) == fields


def test_a_reason_says_what_is_allowed() -> None:
    with pytest.raises(ContentError) as refused:
        DRIVER.validate(_buttons("t" * 21))
    assert refused.value.fields == {
        "interactive.action.buttons.0.reply.title": "has 21 characters, at most 20 are allowed"
    }
