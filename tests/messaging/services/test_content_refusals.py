"""What drivers say of content that cannot be sent, in the reader's language."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import translation

from messaging.drivers.base import ContentError
from messaging.drivers.registry import driver_of
from messaging.drivers.templates import TemplateDraft
from messaging.drivers.whatsapp_cloud.template_rules import check_draft
from messaging.drivers.whatsapp_cloud.template_values import check_values
from messaging.services.content_refusals import content_refused, reasons_said


def refusal(check: Any, *given: Any) -> ContentError:
    with pytest.raises(ContentError) as caught:
        check(*given)
    return caught.value


def test_the_rules_of_a_new_template_with_the_values_in_them():
    body = {"type": "BODY", "text": "{{1}} {{2}}", "example": {"body_text": [["a"]]}}
    error = refusal(check_draft, TemplateDraft("promo", "fr", "UTILITY", [body], "POSITIONAL"))
    with translation.override("fr"):
        assert reasons_said(error) == {
            "components.0.text": "ne doit ni commencer ni finir par une variable",
            "components.0.example.body_text": "demande autant d'exemples qu'il y a de variables : 2",
        }
    with translation.override("es"):
        assert reasons_said(error)["components.0.text"] == "no debe empezar ni terminar con una variable"


def test_a_message_that_does_not_fill_its_template():
    content = {"template": {"components": [{"type": "button", "index": 3, "parameters": [{"type": "text"}]}]}}
    components = [{"type": "BODY", "text": "Hello {{1}}"}]
    error = refusal(check_values, components, "POSITIONAL", content)
    with translation.override("fr"):
        refused = content_refused(error, code="template_values_wrong")
    assert refused.fields == {
        "template.components": "valeurs de la partie body du modèle : attendues 1, fournies 0",
        "template.components.0": "le modèle n'a pas de bouton 3",
    }
    assert "valeurs de la partie body du modèle : attendues 1" in refused.message


@pytest.mark.parametrize("kind", ["whatsapp_cloud", "messenger", "instagram"])
def test_a_type_that_a_channel_does_not_know(kind: str):
    error = refusal(driver_of(kind).validate, {"type": "pigeon"})
    with translation.override("es"):
        assert reasons_said(error)["type"].startswith("debe ser uno de: text, ")
