"""Recurrence: exactly one fire per local day in every zone, and properties that hold for any rule."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.recurrence import (
    LAST_DAY,
    BadRule,
    Frequency,
    Rule,
    next_occurrence,
    next_occurrences,
    wall_clock_instant,
)

PARIS = ZoneInfo("Europe/Paris")
# Half an hour of daylight saving (Lord Howe), changes at midnight (Cairo, Asuncion, Havana), none (Libreville).
ZONES = [
    "Europe/Paris",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "America/Asuncion",
    "America/Havana",
    "Africa/Libreville",
]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def daily(hour: int, minute: int = 0, **fields: object) -> Rule:
    return Rule(Frequency.DAILY, time(hour, minute), fields.pop("start_date", date(2024, 1, 1)), **fields)


@pytest.mark.parametrize("name", ZONES)
def test_every_hour_of_every_day_of_a_year_fires_exactly_once_per_local_day(name):
    zone = ZoneInfo(name)
    for hour, minute in [(0, 0), *((hour, 15) for hour in range(24))]:
        rule = daily(hour, minute)
        moment = wall_clock_instant(date(2024, 1, 1), time.min, zone) - timedelta(seconds=1)
        fired = []
        for _ in range(366):
            following = next_occurrence(rule, zone, moment)
            assert following is not None
            assert following > moment
            moment = following
            fired.append(moment)
        days = [instant.astimezone(zone).date() for instant in fired]
        assert days == [date(2024, 1, 1) + timedelta(days=index) for index in range(366)]
        for instant in fired:
            local = instant.astimezone(zone)
            if (local.hour, local.minute) == (rule.time.hour, rule.time.minute):
                assert local.fold == 0
            else:
                # Only where the day does not have that time: nothing between it and the fire existed.
                assert (instant - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None) < datetime.combine(
                    local.date(), rule.time
                )


def test_a_time_in_the_gap_fires_at_the_first_instant_after_it():
    rule = daily(2, 30)
    assert next_occurrence(rule, PARIS, at("2024-03-30T12:00:00+01:00")) == at("2024-03-31T03:00:00+02:00")
    assert next_occurrence(rule, PARIS, at("2024-03-31T03:00:00+02:00")) == at("2024-04-01T02:30:00+02:00")
    lord_howe = ZoneInfo("Australia/Lord_Howe")
    assert next_occurrence(daily(2, 15), lord_howe, at("2024-10-05T12:00:00+10:30")) == at("2024-10-06T02:30:00+11:00")


def test_a_time_that_comes_twice_fires_at_the_first():
    rule = daily(2, 30)
    first = at("2024-10-27T02:30:00+02:00")
    assert next_occurrence(rule, PARIS, at("2024-10-26T12:00:00+02:00")) == first
    assert next_occurrence(rule, PARIS, first) == at("2024-10-28T02:30:00+01:00")


def test_midnight_on_a_day_that_begins_at_one_fires_at_one():
    asuncion = ZoneInfo("America/Asuncion")
    assert next_occurrence(daily(0), asuncion, at("2023-09-30T12:00:00-04:00")) is not None
    rule = daily(0, start_date=date(2023, 1, 1))
    assert next_occurrence(rule, asuncion, at("2023-09-30T12:00:00-04:00")) == at("2023-10-01T01:00:00-03:00")


def test_a_date_that_a_zone_skipped_does_not_fire():
    apia = ZoneInfo("Pacific/Apia")
    rule = daily(9, start_date=date(2011, 12, 28))
    days = [
        instant.astimezone(apia).day for instant in next_occurrences(rule, apia, at("2011-12-28T00:00:00+00:00"), 4)
    ]
    assert days == [28, 29, 31, 1]


def test_weekly_rules_know_sunday_as_zero_and_several_days():
    rule = Rule(Frequency.WEEKLY, time(9), date(2025, 11, 10), date(2025, 12, 31), weekdays=(0, 1))
    found = [
        instant.astimezone(PARIS).date() for instant in next_occurrences(rule, PARIS, at("2025-11-01T00:00+00:00"), 4)
    ]
    assert found == [date(2025, 11, 10), date(2025, 11, 16), date(2025, 11, 17), date(2025, 11, 23)]


def test_every_second_week_counts_whole_weeks_from_the_week_of_the_start():
    rule = Rule(Frequency.WEEKLY, time(9), date(2025, 11, 12), interval=2, weekdays=(1, 3))
    found = [
        instant.astimezone(PARIS).date() for instant in next_occurrences(rule, PARIS, at("2025-11-01T00:00+00:00"), 4)
    ]
    assert found == [date(2025, 11, 12), date(2025, 11, 24), date(2025, 11, 26), date(2025, 12, 8)]


def test_a_month_without_the_day_fires_on_its_last_day():
    rule = Rule(Frequency.MONTHLY, time(9), date(2024, 1, 31))
    found = [instant.date() for instant in next_occurrences(rule, ZoneInfo("UTC"), at("2024-01-01T00:00+00:00"), 5)]
    assert found == [date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31), date(2024, 4, 30), date(2024, 5, 31)]


def test_the_last_day_and_every_third_month():
    rule = Rule(Frequency.MONTHLY, time(9), date(2025, 11, 30), interval=3, day_of_month=LAST_DAY)
    found = [instant.date() for instant in next_occurrences(rule, ZoneInfo("UTC"), at("2025-01-01T00:00+00:00"), 3)]
    assert found == [date(2025, 11, 30), date(2026, 2, 28), date(2026, 5, 31)]


def test_once_fires_once_and_the_last_day_is_included():
    once = Rule(Frequency.ONCE, time(9), date(2025, 11, 29))
    assert next_occurrences(once, PARIS, at("2025-01-01T00:00+00:00")) == [at("2025-11-29T09:00:00+01:00")]
    rule = daily(9, start_date=date(2025, 11, 28), end_date=date(2025, 11, 29))
    assert len(next_occurrences(rule, PARIS, at("2025-01-01T00:00+00:00"))) == 2
    assert next_occurrence(rule, PARIS, at("2025-11-29T09:00:00+01:00")) is None


def test_the_end_of_calendars_ends_the_rule():
    rule = Rule(Frequency.MONTHLY, time(9), date(9999, 11, 30))
    assert len(next_occurrences(rule, ZoneInfo("UTC"), datetime(9999, 1, 1, tzinfo=UTC))) == 2
    assert (
        len(
            next_occurrences(daily(0, start_date=date(9999, 12, 30)), ZoneInfo("UTC"), datetime(9999, 1, 1, tzinfo=UTC))
        )
        == 2
    )


def test_a_bad_rule_names_every_field_that_is_wrong():
    with pytest.raises(BadRule) as refusal:
        Rule(Frequency.DAILY, time(9, 0, 1), date(2025, 2, 1), date(2025, 1, 1), 0, (7,), 3)
    assert set(refusal.value.fields) == {"time", "interval", "end_date", "weekdays", "day_of_month"}
    with pytest.raises(BadRule):
        Rule(Frequency.MONTHLY, time(9), date(2025, 2, 1), day_of_month=32)


def test_a_moment_without_a_zone_is_a_programming_error():
    with pytest.raises(ValueError, match="aware"):
        next_occurrence(daily(9), PARIS, datetime(2025, 1, 1))  # noqa: DTZ001


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    frequency = draw(st.sampled_from([Frequency.DAILY, Frequency.WEEKLY, Frequency.MONTHLY]))
    days = st.integers(1, 31) | st.just(LAST_DAY)
    return Rule(
        frequency,
        draw(st.times(timezones=st.none())).replace(second=0, microsecond=0, fold=0),
        draw(st.dates(date(2015, 1, 1), date(2030, 1, 1))),
        interval=draw(st.integers(1, 9)),
        weekdays=tuple(draw(st.sets(st.integers(0, 6)))) if frequency == Frequency.WEEKLY else (),
        day_of_month=draw(days | st.none()) if frequency == Frequency.MONTHLY else None,
    )


zones = st.sampled_from([ZoneInfo(name) for name in ZONES])
moments = st.datetimes(datetime(2014, 1, 1), datetime(2032, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@settings(max_examples=300)
@given(rules(), zones, moments)
def test_the_next_one_is_strictly_after_and_steps_make_the_same_list(rule, zone, after):
    listed = next_occurrences(rule, zone, after, 12)
    moment, stepped = after, []
    for _ in listed:
        following = next_occurrence(rule, zone, moment)
        assert following is not None
        assert following > moment
        stepped.append(moment := following)
    assert stepped == listed
    assert len(set(listed)) == len(listed)


@settings(max_examples=300)
@given(rules(), zones, moments, st.integers(0, 10**8))
def test_any_later_question_before_the_answer_has_the_same_answer(rule, zone, after, seconds):
    following = next_occurrence(rule, zone, after)
    assert following is not None
    between = min(after + timedelta(seconds=seconds), following - timedelta(seconds=1))
    if between >= after:
        assert next_occurrence(rule, zone, between) == following


@settings(max_examples=300)
@given(rules(), zones, moments)
def test_the_clock_shows_the_rules_time_except_after_a_gap(rule, zone, after):
    for instant in next_occurrences(rule, zone, after, 12):
        local = instant.astimezone(zone)
        if local.time() != rule.time:
            before = (instant - timedelta(seconds=1)).astimezone(zone)
            assert before.utcoffset() < local.utcoffset()
            assert before.replace(tzinfo=None) < datetime.combine(local.date(), rule.time) or local.time() == time.min


@settings(max_examples=60)
@given(zones, st.integers(2016, 2031), st.times(), st.integers(1, 9))
def test_a_year_has_as_many_fires_as_days(zone, year, clock, interval):
    rule = Rule(Frequency.DAILY, time(clock.hour, clock.minute), date(year, 1, 1), date(year, 12, 31), interval)
    days = (date(year, 12, 31) - date(year, 1, 1)).days + 1
    found = next_occurrences(rule, zone, datetime(year - 1, 12, 1, tzinfo=UTC), 400)
    assert len(found) == -(-days // interval)
