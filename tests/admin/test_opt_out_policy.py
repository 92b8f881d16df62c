"""The page of the words by which people stop and resume."""

from __future__ import annotations

from django.urls import reverse
from django_tenants.utils import schema_context

from contacts.models import OptOutPolicy

PAGE = "admin:contacts_optoutpolicy_"


def url(name: str, *arguments: int) -> str:
    return reverse(PAGE + name, args=arguments, urlconf="config.urls_tenant")


def test_the_page_makes_its_row_and_keeps_words_as_they_are_compared(organization, browser_of):
    browser = browser_of("owner")
    with schema_context(organization.schema_name):
        OptOutPolicy.objects.all().delete()
    answer = browser.get(url("changelist"))
    with schema_context(organization.schema_name):
        pk = OptOutPolicy.objects.get().pk
    assert answer["Location"].endswith(f"/{pk}/change/")
    assert "unsubscribe\nunsubscribe" not in browser.get(url("change", pk)).content.decode()
    given = {"stop_words": "Arrêt!\r\nSTOP\r\n\r\nstop", "start_words": "start", "scope": "all", "stop_reply": "Bye."}
    browser.post(url("change", pk), given)
    with schema_context(organization.schema_name):
        policy = OptOutPolicy.objects.get()
    assert (policy.stop_words, policy.scope, policy.stop_reply) == (["arret", "stop"], "all", "Bye.")


def test_a_word_cannot_both_stop_and_resume_and_needs_letters(organization, browser_of):
    browser = browser_of("owner")
    browser.get(url("changelist"))
    with schema_context(organization.schema_name):
        pk = OptOutPolicy.objects.get().pk
    for stop, start in (("go", "GO!"), ("!!!", "start")):
        given = {"stop_words": stop, "start_words": start, "scope": "all"}
        assert browser.post(url("change", pk), given).status_code == 200
    with schema_context(organization.schema_name):
        assert "stop" in OptOutPolicy.objects.get().stop_words
