"""Settings from the environment: strict, and a bad value is one clear line."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import env

_KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("YES", True), ("off", False), ("False", False)])
def test_booleans(monkeypatch, value, expected):
    monkeypatch.setenv("PROBE", value)
    assert env.boolean("PROBE", not expected) is expected


@pytest.mark.parametrize(
    ("read", "value", "message"),
    [
        (lambda: env.boolean("PROBE", True), "maybe", "PROBE='maybe': expected true or false"),
        (lambda: env.integer("PROBE", 1), "12x", "PROBE='12x': expected a whole number"),
        (lambda: env.integer("PROBE", 1, maximum=9), "10", "PROBE=10: expected 0 to 9"),
        (lambda: env.choice("PROBE", "a", ("a", "b")), "c", "PROBE='c': expected one of a, b"),
        (lambda: env.url("PROBE"), "localhost", "expected a URL that starts with http:// or https://"),
        (lambda: env.database("PROBE"), "mysql://x/y", "PostgreSQL is the only database supported"),
        (lambda: env.fernet_keys("PROBE"), f"{_KEY},short", "PROBE: key 2 is not 32 bytes"),
        (lambda: env.pairs("PROBE", pattern="[0-9]+:[a-z]+"), "24162:airtel,x", "PROBE: 'x' is not what is expected"),
        (lambda: env.text("PROBE"), "", "PROBE is required"),
    ],
)
def test_a_bad_value_is_refused_by_name(monkeypatch, read, value, message):
    monkeypatch.setenv("PROBE", value)
    with pytest.raises(ImproperlyConfigured, match=message.replace("(", r"\(")):
        read()


def test_a_secret_may_come_from_a_file(monkeypatch, tmp_path: Path):
    (tmp_path / "secret").write_text("from-file\n", encoding="utf-8")
    monkeypatch.setenv("PROBE_FILE", str(tmp_path / "secret"))
    assert env.text("PROBE") == "from-file"
    monkeypatch.setenv("PROBE", "direct")
    with pytest.raises(ImproperlyConfigured, match="PROBE and PROBE_FILE are both set"):
        env.text("PROBE")


def test_a_secret_file_that_cannot_be_read_is_named(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("PROBE_FILE", str(tmp_path / "missing"))
    with pytest.raises(ImproperlyConfigured, match="PROBE_FILE: cannot read .*missing"):
        env.text("PROBE")
