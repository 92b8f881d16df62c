"""What workers store about failures is said in the reader's language."""

from __future__ import annotations

import json

import pytest
from django.utils import translation

from config.reasons import reason_said
from messaging.drivers.meta.chat_errors import RULES as CHAT_RULES
from messaging.drivers.sms_http.definition import PRESETS
from messaging.drivers.whatsapp_cloud.errors import ERRORS
from messaging.drivers.whatsapp_cloud.errors import RULES as WHATSAPP_RULES
from webhooks_app.pump.outcomes import _words

LANGUAGES = ("fr", "es")


def untranslated(reasons: set[str]) -> list[str]:
    """Those that some language has no words for."""
    missing = []
    for language in LANGUAGES:
        with translation.override(language):
            missing += [f"{language}: {reason}" for reason in sorted(reasons) if reason_said(reason) == reason]
    return missing


def test_every_reason_of_metas_error_tables():
    reasons = {rule.reason for rules in (WHATSAPP_RULES, CHAT_RULES) for rule in rules.values()}
    assert len(reasons) > 60
    assert untranslated(reasons) == []


def test_every_reason_of_the_sms_presets():
    presets = [json.loads(path.read_text(encoding="utf-8")) for path in PRESETS.glob("*.json")]
    reasons = {entry["reason"] for preset in presets for entry in preset.get("errors", {}).values()}
    assert len(reasons) > 10
    assert untranslated(reasons) == []


@pytest.mark.parametrize("code", [None, 302, 410, 500])
def test_what_receivers_of_webhooks_answer(code):
    assert untranslated({_words(code)}) == []


def test_metas_own_words_follow_ours_as_they_are():
    error = ERRORS.in_webhook([{"code": 131009, "error_data": {"details": "Parameter x"}}])
    with translation.override("fr"):
        assert reason_said(error.reason) == "Une valeur du message n'est pas valable. Meta indique : Parameter x"
    with translation.override("en"):
        assert reason_said(error.reason) == error.reason


def test_a_code_without_words_keeps_metas_title():
    error = ERRORS.in_webhook([{"code": 999999, "title": "Strange"}])
    with translation.override("es"):
        assert reason_said(error.reason) == "WhatsApp no entregó el mensaje: Strange"


def test_a_template_that_meta_stopped():
    with translation.override("fr"):
        text = "Template promo (fr) is now PAUSED: low quality"
        assert reason_said(text) == "Le modèle promo (fr) est maintenant PAUSED : low quality"
