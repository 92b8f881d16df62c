"""The PHP and shell code of docs/webhooks.md, run as it stands with the published vector and with forgeries."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"event":"message.received","message":{"text":"Hola"}}'
PLAIN = "b3df64ac61e40d594373b0793a5cc7f2a9adce0e5cafcb2f2876177c6c425053"


def snippet(language: str) -> str:
    """The page's only block of this language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    return str(found)


def test_the_vector_here_is_the_published_one() -> None:
    for value in (SECRET, BODY.decode(), PLAIN):
        assert f"`{value}`" in PAGE


@pytest.mark.parametrize(
    ("signature", "answer"), [(PLAIN, "genuine"), (PLAIN.replace("b", "c"), ""), ("", ""), (PLAIN[:-1], "")]
)
def test_the_php_reader_takes_the_genuine_and_nothing_else(tmp_path: Path, signature: str, answer: str) -> None:
    php = shutil.which("php")
    if php is None:
        pytest.skip("PHP is not installed")
    # Without a web server the body comes from a file, and everything else runs as it stands.
    (tmp_path / "body.json").write_bytes(BODY)
    code = snippet("php").replace("'php://input'", repr(str(tmp_path / "body.json")))
    before = f"$secret = '{SECRET}'; $_SERVER['HTTP_X_WEBHOOK_SIGNATURE'] = '{signature}';"
    done = subprocess.run(
        [php, "-r", f"{before}\n{code}\necho 'genuine';"], capture_output=True, text=True, timeout=30, check=True
    )
    assert (done.stdout, done.stderr) == (answer, "")


def test_the_shell_line_prints_the_plain_signature(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    (tmp_path / "body.json").write_bytes(BODY)
    done = subprocess.run(
        ["sh", "-c", snippet("sh")],
        cwd=tmp_path,
        env={"SECRET": SECRET, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.strip().rpartition(" ")[2] == PLAIN
