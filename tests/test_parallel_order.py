"""The lists of what runs together follow the tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.parallel import FileScheduling
from tests.parallel_order import LONG, PLATFORM, place, shares_the_platform

ROOT = Path(__file__).parents[1]


def test_every_file_that_uses_the_platform_is_where_it_runs(request: pytest.FixtureRequest) -> None:
    items: list[Any] = request.session.items
    using = {item.nodeid.partition("::")[0] for item in items if "live_stack" in item.fixturenames}
    assert {file for file in using if not shares_the_platform(file)} == set()


@pytest.mark.parametrize("path", [*PLATFORM, *LONG])
def test_what_is_listed_exists(path: str) -> None:
    assert (ROOT / path).exists()


def test_files_of_the_platform_go_to_one_process_and_others_each_as_a_whole() -> None:
    split = object.__new__(FileScheduling)._split_scope
    assert split("tests/browser/test_import.py::test_a") == split("tests/faults/test_faults.py::test_b")
    assert split("tests/otp/test_send.py::test_a[x]") == split("tests/otp/test_send.py::test_b")
    assert split("tests/otp/test_send.py::test_a") != split("tests/otp/test_verify.py::test_a")


def test_platforms_come_first_then_long_files() -> None:
    files = ["tests/otp/test_send.py::a", "tests/contract/test_marketing.py::a", "tests/faults/test_faults.py::a"]
    assert sorted(files, key=place) == files[::-1]
