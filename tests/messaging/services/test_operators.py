"""Operators of numbers: carrier data, the platform's corrections, the organisation's own prefixes."""

from __future__ import annotations

import time

import pytest
from django_tenants.utils import tenant_context

from messaging.models import OperatorPrefix
from messaging.operators import operator_slug
from messaging.services.operators import cache_clear, numbers_analyze, operator_of, operators_of


@pytest.fixture(autouse=True)
def nothing_remembered():
    cache_clear()
    yield
    cache_clear()


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Airtel", "airtel"),
        ("Moov Africa", "moov"),
        ("MTN Cameroon", "mtn"),
        ("AT&T", "at_t"),
        ("Maroc Telecom", "maroc_telecom"),
        ("Telefónica", "telefonica"),
        ("  ", "unknown"),
        ("مدى", "unknown"),
    ],
)
def test_names_become_slugs(name, slug):
    assert operator_slug(name) == slug


def test_numbers_of_the_world_have_their_operator(in_schema):
    numbers = {"2290196123456": "mtn", "2250701020304": "orange", "24104123456": "airtel", "12025550100": "unknown"}
    assert {phone: operator_of(phone) for phone in numbers} == numbers
    assert operators_of(numbers) == list(numbers.values())
    assert operators_of([]) == []


def test_the_examples_of_the_marketing_document_come_out_as_it_shows_them(in_schema):
    analysis = numbers_analyze(phones=["+24162000001", "+24177000002", "0777000003"], country="GA")
    assert analysis.total == 3
    assert dict(analysis.counts) == {"airtel": 1, "moov": 2}
    assert [(one.phone, one.operator, one.is_valid) for one in analysis.numbers] == [
        ("+24162000001", "airtel", True),
        ("+24177000002", "moov", True),
        ("0777000003", "moov", False),
    ]


def test_the_longest_own_prefix_wins_over_shorter_ones_and_over_the_table(in_schema):
    OperatorPrefix.objects.create(prefix="241", operator="one")
    OperatorPrefix.objects.create(prefix="2416", operator="two")
    OperatorPrefix.objects.create(prefix="241620000011234", operator="three")
    assert operators_of(["24162000001", "24177000002", "241620000011234", "2290196123456"]) == [
        "two",
        "one",
        "three",
        "mtn",
    ]


def test_an_own_prefix_can_say_that_the_operator_is_unknown(in_schema):
    OperatorPrefix.objects.create(prefix="24104", operator="unknown")
    assert operator_of("24104123456") == "unknown"


def test_own_prefixes_are_nobody_elses(organization, other_organization):
    with tenant_context(organization):
        OperatorPrefix.objects.create(prefix="24104", operator="mine")
        assert operator_of("24104123456") == "mine"
    with tenant_context(other_organization):
        assert operator_of("24104123456") == "airtel"


@pytest.mark.parametrize("phone", ["", "abc", "+", "00", "🙂", "+999999999999999", "1" * 400, "٠٧٧٧٠٠٠٠٠٣"])
def test_what_is_no_number_is_unknown_and_never_an_error(in_schema, phone):
    (one,) = numbers_analyze(phones=[phone], country="GA").numbers
    assert (one.given, one.is_valid, one.operator) == (phone, False, "unknown")


def test_an_analysis_says_what_a_text_costs_for_the_valid_numbers(in_schema):
    analysis = numbers_analyze(phones=["+24162000001", "nonsense"], country="GA", text="x" * 161)
    assert analysis.text is not None
    assert (analysis.text.segments, analysis.segments) == (2, 2)


def test_a_million_numbers_take_seconds(in_schema):
    OperatorPrefix.objects.create(prefix="24160200", operator="mine")
    phones = [f"2416{number:07d}" for number in range(1_000_000)]
    started = time.process_time()
    found = operators_of(phones)
    assert time.process_time() - started < 8
    assert len(found) == 1_000_000
    assert found[200_000 - 1] == "libertis"
    assert found.count("mine") == 1_000
