from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from config.stack.environment import Listening
from config.stack.errors import StackError
from config.stack.paths import ROOT
from config.stack.ports import port_choose, port_is_free, port_require, port_setting


@pytest.mark.parametrize("value", ["abc", "0", "65536", "-1", "80.5", "８０００", " 80"])
def test_bad_port_is_refused_with_one_line_that_names_it(value: str) -> None:
    with pytest.raises(StackError) as refusal:
        port_setting({"PORT": value}, "PORT", 8000)
    assert str(refusal.value) == f"PORT={value!r}: expected a port from 1 to 65535"


@pytest.mark.parametrize(("environ", "port"), [({}, 8000), ({"PORT": ""}, 8000), ({"PORT": "65535"}, 65535)])
def test_port_comes_from_the_environment_or_the_default(environ: dict[str, str], port: int) -> None:
    assert port_setting(environ, "PORT", 8000) == port


def test_bad_port_stops_the_start_before_anything_is_started() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "config.stack", "run"],
        cwd=ROOT, env={"PORT": "eighty"}, capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "griot: PORT='eighty': expected a port from 1 to 65535\n"
    assert done.stdout == ""


def test_taken_port_is_named_with_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        assert port_is_free(port) is False
        with pytest.raises(StackError) as refusal:
            port_require("SANDBOX_PORT", port)
    other = port + 1 if port < 65535 else port - 1
    assert str(refusal.value) == (
        f"Port {port} is in use on 127.0.0.1: stop the program that holds it, or choose another, SANDBOX_PORT={other}"
    )


def test_preferred_port_is_kept_while_it_is_free() -> None:
    port = port_choose()
    assert port_choose(port) == port
    with socket.create_server(("127.0.0.1", port)):
        assert port_choose(port) != port


def test_sandbox_elsewhere_needs_no_port_here() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        taken = str(holder.getsockname()[1])
        environ = {"PORT": str(port_choose()), "SANDBOX_PORT": taken, "SANDBOX_URL": "http://127.0.0.1:9"}
        Listening.read(environ).require_free()
        del environ["SANDBOX_URL"]
        with pytest.raises(StackError, match="SANDBOX_PORT"):
            Listening.read(environ).require_free()
