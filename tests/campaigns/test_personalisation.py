"""Variables in texts, and that the database fills them exactly as Python does."""

from __future__ import annotations

import json

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns.personalisation import (
    contact_values,
    content_personalise,
    content_variables,
    personalise,
    unknown_variables,
    variables_of,
)
from campaigns.rendering import SqlParts, content_sql

VALUES = {"nom": "Jean Dupont", "prenom": "Jean", "email": "", "telephone": "+24162000000", "custom.company": "ABC"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bonjour {nom}, votre email {email}!", "Bonjour Jean Dupont, votre email !"),
        ("{prenom|client} {email|unknown}", "Jean unknown"),
        ("{ prenom | client }{custom.company}{custom.missing|?}", "JeanABC?"),
        ("{first_name} {phone}", "Jean +24162000000"),
        ("{pronom} {} { } {{1}} {{nom}} {nom", "{pronom} {} { } {{1}} {{nom}} {nom"),
        ("{email|{nom}}", "{email|{nom}}"),
        ("", ""),
    ],
)
def test_texts_are_filled(text, expected):
    assert personalise(text, VALUES) == expected


def test_values_are_never_filled_again():
    assert personalise("{nom}", {"nom": "{email}", "email": "x"}) == "{email}"


def test_variables_are_named_once_and_typing_mistakes_found():
    assert variables_of("{nom} {prenom|x} {nom} {custom.a}") == ["nom", "prenom", "custom.a"]
    assert unknown_variables("{pronom} {nom} {customs.a} {pronom} {{1}}") == ["pronom", "customs.a"]
    content = {"a": ["{nom}", {"b": "{email}"}], "c": 3}
    assert content_variables(content) == ["nom", "email"]
    assert content_personalise(content, VALUES) == {"a": ["Jean Dupont", {"b": ""}], "c": 3}


def test_the_first_name_is_the_first_word():
    values = contact_values(name="  Ada  Sample ", email="a@b.c", phone="22961", custom={"n": 3, "b": True, "x": None})
    assert values == {
        "nom": "Ada  Sample",
        "prenom": "Ada",
        "email": "a@b.c",
        "telephone": "+22961",
        "custom.n": "3",
        "custom.b": "true",
    }


words = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12)
fragments = st.sampled_from(
    ["{nom}", "{prenom|client}", "{email}", "{telephone}", "{custom.a|-}", "{custom.b}", "{", "}", "|", "%s", "%(x)s"]
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(words | fragments, max_size=6).map("".join),
    words,
    words,
    st.dictionaries(st.sampled_from(["a", "b"]), words | st.integers() | st.booleans()),
)
def test_the_database_fills_as_python_does(in_schema, text, name, email, custom):
    content = {"type": "text", "text": {"body": text, "more": ["x", text]}}
    parts = SqlParts()
    rendered = content_sql(content, parts)
    columns = parts.column_definitions("placed")
    values = "".join(f", {column}" for column in columns)
    row = (
        "(SELECT %(name)s::text AS name, %(email)s::text AS email, '22961000000' AS phone, %(custom)s::jsonb AS custom)"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {rendered} FROM (SELECT placed.*{values} FROM {row} AS placed) AS valued",
            {**parts.params, "name": name, "email": email, "custom": json.dumps(custom)},
        )
        found = cursor.fetchone()[0]
    expected = content_personalise(content, contact_values(name=name, email=email, phone="22961000000", custom=custom))
    assert (json.loads(found) if isinstance(found, str) else found) == expected
