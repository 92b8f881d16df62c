"""The real Kannel between the engine and its own fake SMS centre, configured as docs/sms-kannel.md says."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from django.db import connection
from django_tenants.utils import schema_context

Make = Callable[..., Any]
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "sms-kannel.md"
FAKE_CENTRE = Path("/usr/lib/kannel/test/fakesmsc")
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"
BOXES = {name: shutil.which(name, path=PATH) for name in ("bearerbox", "smsbox")}
PHONE = "24106000011"

pytestmark = pytest.mark.skipif(
    not all(BOXES.values()) or not FAKE_CENTRE.exists(), reason="Debian's packages kannel and kannel-extras are missing"
)


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def eventually(check: Callable[[], Any], seconds: float = 20.0) -> Any:
    end = time.monotonic() + seconds
    while True:
        answer = check()
        if answer:
            return answer
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


class Kannel:
    """bearerbox, smsbox and the fake centre in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = dict(zip(("13000", "13001", "13002", "13003"), free_ports(4), strict=True))
        self.processes: list[subprocess.Popen[bytes]] = []
        self._centre: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self.ports['13002']}/cgi-bin/sendsms"

    def start(self, message_address: str) -> None:
        """Start with the documented configuration, its ports, paths and address replaced."""
        (text,) = re.findall(r"^```\n(group = core.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.S | re.M)
        for documented, port in self.ports.items():
            text = text.replace(f"= {documented}\n", f"= {port}\n")
        text = text.replace("/var/log/kannel", str(self.folder)).replace("MESSAGE_ADDRESS", message_address)
        (self.folder / "kannel.conf").write_text(text, encoding="utf-8")
        self._run("bearerbox", str(BOXES["bearerbox"]), "kannel.conf")
        self._wait("13001")
        self._run("smsbox", str(BOXES["smsbox"]), "kannel.conf")
        self._wait("13002")

    def centre(self, message: str = "") -> None:
        """The operator comes up, in place of the one before, and sends `message` (in fakesmsc's spelling) if given."""
        if self._centre is not None:
            self._end(self._centre)
        arguments = ["-m", "1", message] if message else ["-m", "0", "1 2 text x"]
        name = f"centre-{len(self.processes)}"
        self._centre = self._run(name, str(FAKE_CENTRE), "-H", "127.0.0.1", "-r", str(self.ports["13003"]), *arguments)

    def received(self) -> list[str]:
        """What the operator took, in fakesmsc's spelling."""
        logs = [path.read_text(errors="replace") for path in self.folder.glob("centre-*.out")]
        return re.findall(r"Got message \d+: <(.*)>", "\n".join(logs))

    def _run(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.out").open("wb") as log:
            process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=subprocess.STDOUT)
        self.processes.append(process)
        return process

    def _wait(self, port: str) -> None:
        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.ports[port])) == 0

        eventually(listens)

    def stop(self) -> None:
        for process in reversed(self.processes):
            self._end(process)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class QuietHandler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def web(committed: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The platform's web server on this test's database; inbound events are processed where they come in."""
    from django.core.wsgi import get_wsgi_application

    from messaging.inbound import callbacks, routing, views
    from messaging.inbound.processing import event_process

    callbacks.cache_clear()
    routing.cache_clear()
    monkeypatch.setattr(views.process, "apply_async", lambda args, **_: event_process(event_id=args[0]))
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    server: WSGIServer = make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=QuietHandler)
    settings.PUBLIC_BASE_URL = f"http://127.0.0.1:{server.server_port}"

    def serve() -> None:
        server.serve_forever(0.05)
        connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield settings.PUBLIC_BASE_URL
    server.shutdown()
    thread.join(10)
    server.server_close()


@pytest.fixture
def kannel(tmp_path: Path) -> Iterator[Kannel]:
    started = Kannel(tmp_path)
    yield started
    started.stop()


@pytest.fixture
def engine(committed: Any) -> Iterator[Any]:
    from messaging.dispatch import gateways
    from messaging.dispatch.runtime import Engine

    gateways._known.clear()
    started = Engine().start()
    yield started
    started.stop()


@pytest.fixture
def channel(committed: Any, web: str, kannel: Kannel, make_channel: Make, settings: Any) -> Any:
    """A channel of the first organisation; Kannel knows where its messages go."""
    settings.EGRESS_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    config = {"preset": "kannel", "gateway_url": kannel.url, "username": "griot", "sender": "DEMO"}
    made = make_channel(
        committed[0],
        kind="sms_http",
        account_id="",
        address="",
        is_sandbox=False,
        config=config,
        secrets={"password": "CHANGE_ME"},
    )
    kannel.start(f"{web}/webhook/callback/{made.external_id}/{made.secrets['callback_token']}/message")
    return made


def send(organization: Any, channel: Any, engine: Any, *texts: str) -> None:
    from messaging.services.accept import Draft, messages_accept
    from messaging.services.channels import channel_by_uuid

    with schema_context(organization.schema_name):
        acceptance = messages_accept(
            organization=organization,
            channel=channel_by_uuid(schema=organization.schema_name, uuid=channel.uuid),
            drafts=[Draft(f"+{PHONE}", {"type": "text", "text": {"body": text}}) for text in texts],
            origin="api",
            priority=10,
        )
    assert acceptance.rejections == []
    engine.pump(organization.schema_name, channel.pk)


def messages(organization: Any, **fields: Any) -> list[Any]:
    from messaging.models import Message

    with schema_context(organization.schema_name):
        return list(Message.objects.filter(**fields).order_by("id"))


def test_messages_go_out_through_kannel_and_its_reports_make_them_delivered(
    committed: Any, kannel: Kannel, channel: Any, engine: Any
) -> None:
    organization, _ = committed
    kannel.centre()
    send(organization, channel, engine, "Ça va à 5 €", "Café ☕ " + "x" * 70)

    eventually(lambda: {row.status for row in messages(organization)} == {"delivered"})

    taken = kannel.received()
    assert len(taken) == 3
    assert all(line.startswith(f"DEMO +{PHONE} ") for line in taken)
    # The first in the alphabet of GSM, the second in two joined parts of UCS-2.
    assert [line for line in taken if " udh " not in line] == [f"DEMO +{PHONE} text Ça va à 5 €"]
    assert ["%26%15" in line for line in taken if " udh " in line] == [True, False]
    assert all(row.sent_at and row.delivered_at for row in messages(organization))


def test_an_sms_of_a_person_comes_in_whatever_its_script_and_stop_stops(
    committed: Any, kannel: Kannel, channel: Any, engine: Any
) -> None:
    from contacts.models import Suppression

    organization, _ = committed
    kannel.centre(f"{PHONE} 1234 text STOP")
    eventually(lambda: len(messages(organization, direction="in")) == 1)
    kannel.centre(f"{PHONE} 1234 ucs2 %04%1F%04%40%26%15")
    eventually(lambda: len(messages(organization, direction="in")) == 2)

    received = messages(organization, direction="in")
    assert [row.content["text"]["body"] for row in received] == ["STOP", "Пр☕"]
    assert {row.address for row in received} == {PHONE}
    with schema_context(organization.schema_name):
        assert Suppression.objects.get().address == PHONE


def test_what_kannel_keeps_for_later_is_delivered_when_the_operator_is_back(
    committed: Any, kannel: Kannel, channel: Any, engine: Any
) -> None:
    organization, _ = committed
    send(organization, channel, engine, "Hello")
    eventually(lambda: messages(organization)[0].status == "sent")
    assert kannel.received() == []
    kannel.centre()
    eventually(lambda: messages(organization)[0].status == "delivered")


def test_a_wrong_password_pauses_the_channel(committed: Any, kannel: Kannel, channel: Any, engine: Any) -> None:
    from messaging.models import Channel
    from messaging.services.channels import channel_update_secrets

    organization, _ = committed
    with schema_context(organization.schema_name):
        channel_update_secrets(channel=channel, secrets={"password": "wrong"})
    send(organization, channel, engine, "Hello")

    def paused() -> bool:
        with schema_context(organization.schema_name):
            return Channel.objects.get(pk=channel.pk).status == "paused"

    eventually(paused)
    assert messages(organization)[0].status == "queued"
