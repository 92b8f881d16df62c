"""Settings of the sandbox process, read once from the environment and refused when wrong."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from sandbox.switches import SwitchError, SwitchValues, parse_switches

SWITCH_PREFIX = "SANDBOX_SWITCH_"


class ConfigError(ValueError):
    """A setting has a value that cannot be used; the text names the setting."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that is fixed for the life of the process."""

    host: str
    port: int
    public_url: str
    app_id: str
    app_secret: str
    verify_token: str
    webhook_url: str
    inbox_limit: int
    ledger_limit: int
    media_limit_bytes: int
    backlog_limit: int
    switches: SwitchValues = field(default_factory=dict)


def config_from_env(env: Mapping[str, str]) -> Config:
    """Read the settings. Raises ConfigError with one line that names the bad setting."""
    host = _host(env)
    port = _integer(env, "SANDBOX_PORT", 8900, low=1, high=65535)
    return Config(
        host=host,
        port=port,
        public_url=_url(env, "SANDBOX_PUBLIC_URL", f"http://{_authority(host)}:{port}").rstrip("/"),
        app_id=_digits(env, "META_APP_ID", "720011223344556"),
        app_secret=_secret(env, "META_APP_SECRET", "sandbox-app-secret"),
        verify_token=_secret(env, "META_VERIFY_TOKEN", "sandbox-verify-token"),
        webhook_url=_url(env, "SANDBOX_WEBHOOK_URL", "http://127.0.0.1:8000/webhook/meta"),
        inbox_limit=_integer(env, "SANDBOX_INBOX_LIMIT", 100_000, low=100, high=10_000_000),
        ledger_limit=_integer(env, "SANDBOX_LEDGER_LIMIT", 3_000_000, low=1_000, high=100_000_000),
        media_limit_bytes=_integer(env, "SANDBOX_MEDIA_LIMIT_MB", 256, low=1, high=100_000) * 1024 * 1024,
        backlog_limit=_integer(env, "SANDBOX_WEBHOOK_BACKLOG", 500_000, low=1_000, high=50_000_000),
        switches=_switches(env),
    )


def _authority(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _host(env: Mapping[str, str]) -> str:
    value = env.get("SANDBOX_HOST", "") or "127.0.0.1"
    if value == "localhost":
        return "127.0.0.1"
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ConfigError(f"SANDBOX_HOST must be an IP address or localhost, not {value!r}") from None


def _integer(env: Mapping[str, str], name: str, default: int, *, low: int, high: int) -> int:
    raw = env.get(name, "")
    if raw == "":
        return default
    if not (raw.isascii() and raw.isdigit() and low <= int(raw) <= high):
        raise ConfigError(f"{name} must be a whole number from {low} to {high}, not {raw!r}")
    return int(raw)


def _digits(env: Mapping[str, str], name: str, default: str) -> str:
    value = env.get(name, "") or default
    if not (value.isascii() and value.isdigit()):
        raise ConfigError(f"{name} must consist of digits, not {value!r}")
    return value


def _secret(env: Mapping[str, str], name: str, default: str) -> str:
    """The value itself, or the content of the file that NAME_FILE names; never shown in an error."""
    path = env.get(f"{name}_FILE", "")
    if path and env.get(name, ""):
        raise ConfigError(f"{name} and {name}_FILE are both set; keep one")
    value = env.get(name, "") or default
    if path:
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{name}_FILE cannot be read: {error}") from None
    if not value or value != value.strip() or not value.isprintable():
        raise ConfigError(f"{name} must be printable text without spaces at its ends")
    return value


def _url(env: Mapping[str, str], name: str, default: str) -> str:
    value = env.get(name, "") or default
    try:
        parts = urlsplit(value)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid:
        raise ConfigError(f"{name} must be an http or https URL, not {value!r}")
    return value


def _switches(env: Mapping[str, str]) -> SwitchValues:
    raw: dict[str, object] = {}
    for name, text in env.items():
        if not name.startswith(SWITCH_PREFIX):
            continue
        try:
            raw[name.removeprefix(SWITCH_PREFIX).lower()] = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise ConfigError(f"{name} must be a JSON value, not {text!r}") from None
    try:
        return parse_switches(raw)
    except SwitchError as error:
        raise ConfigError(f"{SWITCH_PREFIX}{error.name.upper()}: {error}") from None
