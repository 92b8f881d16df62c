from __future__ import annotations

import json
import shlex
import stat
from pathlib import Path

from cryptography.fernet import Fernet

from config.queues import TASK_QUEUES
from config.stack.banner import banner_text
from config.stack.children import platform_children
from config.stack.environment import Listening, platform_environment, wanted_servers
from config.stack.paths import ROOT
from config.stack.secret_store import secrets_load


def organization(name: str, host: str, password: str) -> dict[str, str]:
    return {
        "name": name,
        "admin_url": f"http://{host}:8000/admin/",
        "email": "owner@demo.example",
        "password": password,
    }


DEMO = {
    "base_url": "http://localhost:8000",
    "sandbox_url": "http://127.0.0.1:8900",
    "super_admin": {"email": "admin@griot.example", "password": "pw-admin"},
    "organization": organization("Demo Shop", "demo.localhost", "pw-one"),
    "second_organization": organization("Demo Two", "two.localhost", "pw-two"),
    "transactional": {"api_key": "rf_test_it's", "provider_id": "018f"},
}


def read(environ: dict[str, str], path: Path, mode: str = "dev") -> dict[str, str]:
    return platform_environment(environ, Listening.read(environ), mode=mode, secrets_file=path)


def test_secrets_are_made_once_and_readable_only_by_their_owner(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    made = secrets_load(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secrets_load(path) == made
    assert set(made) == {"DJANGO_SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "META_APP_SECRET", "META_VERIFY_TOKEN"}
    assert len(made["DJANGO_SECRET_KEY"]) >= 50
    assert Fernet(made["FIELD_ENCRYPTION_KEYS"]).decrypt(Fernet(made["FIELD_ENCRYPTION_KEYS"]).encrypt(b"x")) == b"x"


def test_secret_that_a_later_version_adds_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    made = secrets_load(path)
    path.write_text(json.dumps({name: value for name, value in made.items() if name != "META_VERIFY_TOKEN"}))
    again = secrets_load(path)
    assert again | {"META_VERIFY_TOKEN": made["META_VERIFY_TOKEN"]} == made
    assert again["META_VERIFY_TOKEN"] != made["META_VERIFY_TOKEN"]


def test_addresses_follow_the_ports(tmp_path: Path) -> None:
    env = read({"PORT": "8100", "SANDBOX_PORT": "8901"}, tmp_path / "s.json")
    assert env["PUBLIC_BASE_URL"] == "http://localhost:8100"
    assert env["SANDBOX_URL"] == env["META_GRAPH_URL"] == "http://127.0.0.1:8901"
    assert env["SANDBOX_WEBHOOK_URL"] == "http://127.0.0.1:8100/webhook/meta"
    assert env["GRIOT_ENV"] == "dev"


def test_what_the_person_sets_wins_also_as_a_file(tmp_path: Path) -> None:
    given = {
        "META_GRAPH_URL": "https://graph.facebook.com",
        "DJANGO_SECRET_KEY_FILE": "/run/key",
        "META_APP_SECRET": "s",
    }
    env = read(given, tmp_path / "s.json")
    assert env["META_GRAPH_URL"] == "https://graph.facebook.com"
    assert env["META_APP_SECRET"] == "s"
    # Both NAME and NAME_FILE would be refused by the settings.
    assert "DJANGO_SECRET_KEY" not in env


def test_embedded_servers_are_left_out_when_their_address_is_given() -> None:
    assert wanted_servers({}) == {"postgres": True, "valkey": True}
    assert wanted_servers({"DATABASE_URL": "postgresql://x/y"}) == {"postgres": False, "valkey": True}
    assert wanted_servers({"REDIS_URL_FILE": "/run/redis"}) == {"postgres": True, "valkey": False}


def queues_of(command: list[str]) -> set[str]:
    return set(command[command.index("-Q") + 1].split(",")) if "-Q" in command else set()


def test_every_queue_has_exactly_one_kind_of_worker_here_and_in_production() -> None:
    declared = sorted(queue.name for queue in TASK_QUEUES)
    here = [queues_of(list(child.command)) for child in platform_children(Listening("127.0.0.1", 8000, 8900, True))]
    assert sorted(name for queues in here for name in queues) == declared
    lines = [shlex.split(line.partition(":")[2]) for line in (ROOT / "Procfile").read_text().splitlines()]
    assert sorted(name for line in lines for name in queues_of(line)) == declared


def test_sandbox_is_a_child_only_when_it_is_ours() -> None:
    def names(own_sandbox: bool) -> list[str]:
        return [child.name for child in platform_children(Listening("127.0.0.1", 8000, 8900, own_sandbox))]

    assert names(own_sandbox=True) == ["sandbox", "web", "dispatch", "webhooks", "worker", "beat"]
    assert names(own_sandbox=False) == ["web", "dispatch", "webhooks", "worker", "beat"]


def test_banner_shows_addresses_logins_and_a_curl_line_that_a_shell_reads_back() -> None:
    text = banner_text(DEMO)
    for part in ("http://localhost:8000/admin/", "pw-admin", "http://demo.localhost:8000/admin/", "pw-one", "pw-two",
                 "http://127.0.0.1:8900/"):  # fmt: skip
        assert part in text
    line = next(line for line in text.splitlines() if line.startswith("curl "))
    words = shlex.split(line)
    assert "http://localhost:8000/api/v1/messages/send" in words
    assert "X-API-Key: rf_test_it's" in words
    body = json.loads(words[words.index("-d") + 1])
    assert body == {"providerId": "018f", "to": "+12025550143", "message": "Hello from Griot"}
