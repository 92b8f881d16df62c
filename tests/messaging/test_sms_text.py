"""What a text costs as SMS."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.sms_text import BASIC, EXTENSION, segments_of, text_cost, text_plain

GSM = st.text(alphabet=BASIC + EXTENSION, max_size=800)
ANY = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=300)


@pytest.mark.parametrize(
    ("text", "encoding", "segments", "units", "remaining"),
    [
        ("", "gsm7", 1, 0, 160),
        ("a" * 160, "gsm7", 1, 160, 0),
        ("a" * 161, "gsm7", 2, 161, 145),
        ("a" * 306, "gsm7", 2, 306, 0),
        ("a" * 307, "gsm7", 3, 307, 152),
        ("€" * 80, "gsm7", 1, 160, 0),
        ("a" * 159 + "€", "gsm7", 2, 161, 145),
        # The pair does not fit into the last septet of the first part: it moves on as a whole.
        ("a" * 152 + "€" + "b" * 151, "gsm7", 2, 305, 0),
        ("é" * 160, "gsm7", 1, 160, 0),
        ("ê" * 70, "ucs2", 1, 70, 0),
        ("ê" * 71, "ucs2", 2, 71, 63),
        ("😀" * 35, "ucs2", 1, 70, 0),
        ("😀" * 36, "ucs2", 2, 72, 61),
        ("ê" * 66 + "😀" + "ê" * 65, "ucs2", 2, 133, 0),
    ],
)
def test_segments_and_what_the_last_one_still_takes(text, encoding, segments, units, remaining):
    cost = text_cost(text)
    assert (cost.encoding, cost.segments, cost.units, cost.remaining) == (encoding, segments, units, remaining)


def test_the_characters_that_make_it_dearer_are_named_once_with_their_place():
    cost = text_cost("Prêt à l’heure, prêt 😀")
    assert [(cause.character, cause.position, cause.reason) for cause in cost.because] == [
        ("ê", 2, "not_in_gsm7"),
        ("’", 8, "not_in_gsm7"),
        ("😀", 21, "not_in_gsm7"),
    ]
    assert [(cause.character, cause.reason) for cause in text_cost("100 € [net]").because] == [
        ("€", "takes_two"),
        ("[", "takes_two"),
        ("]", "takes_two"),
    ]
    assert len(text_cost("àâêîôûëïœ漢字").because) == 5


def test_a_plain_equivalent_is_offered():
    assert text_plain("“L’été…” – ça va 😀") == '"L\'été..." - ca va 😀'
    assert text_cost(text_plain("L’été…")).encoding == "gsm7"


def test_the_alphabets_are_those_of_the_standard():
    assert len(BASIC) == len(set(BASIC)) == 127  # 128 places, one of them the escape
    assert len(EXTENSION) == len(set(EXTENSION)) == 10
    assert not set(BASIC) & set(EXTENSION)


@given(st.one_of(GSM, ANY))
def test_the_parts_are_the_text_and_each_fits(text):
    cost, parts = text_cost(text), segments_of(text)
    assert "".join(parts) == text
    assert len(parts) == cost.segments
    limit = {("gsm7", True): 160, ("gsm7", False): 153, ("ucs2", True): 70, ("ucs2", False): 67}[
        cost.encoding, len(parts) == 1
    ]
    for part in parts:
        if cost.encoding == "gsm7":
            assert sum(2 if char in EXTENSION else 1 for char in part) <= limit
        else:
            assert len(part.encode("utf-16-be")) // 2 <= limit


@given(GSM)
def test_what_is_in_the_alphabet_is_never_sent_as_ucs2(text):
    assert text_cost(text).encoding == "gsm7"
