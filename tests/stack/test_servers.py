"""The embedded servers, really started, on directories of their own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from config.stack import processes
from config.stack.accounts import database_account
from config.stack.errors import StackError
from config.stack.paths import ROOT, VAR
from config.stack.servers import EmbeddedServers, running_urls

HOLD = """
import sys, time
from pathlib import Path
from config.stack.servers import EmbeddedServers

with EmbeddedServers(Path({path!r})) as servers:
    print(servers.database_url, servers.redis_url, flush=True)
    time.sleep(600)
"""


@contextlib.contextmanager
def sleeping(**options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with us; it ends with the block, also when the block fails.

    It obeys an interrupt even when this process was started to ignore it, as shells start what goes to the background.
    """
    sleep = ["/usr/bin/env", "--default-signal=INT,QUIT", "sleep", "600"]
    process = subprocess.Popen(sleep, cwd="/", **options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def number_of_rows(url: str) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS probe (at timestamptz DEFAULT now())")
        connection.execute("INSERT INTO probe DEFAULT VALUES")
        row = connection.execute("SELECT count(*) FROM probe").fetchone()
        assert row is not None
        return int(row[0])


def test_second_start_reuses_data_and_addresses(data_dir: Path) -> None:
    with EmbeddedServers(data_dir) as first:
        urls = first.database_url, first.redis_url
        assert number_of_rows(first.database_url) == 1
        with redis.Redis.from_url(first.redis_url) as client:
            client.set("kept", "yes")
    with EmbeddedServers(data_dir) as second:
        assert (second.database_url, second.redis_url) == urls
        assert number_of_rows(second.database_url) == 2
        with redis.Redis.from_url(second.redis_url) as client:
            assert client.get("kept") == b"yes"


def test_servers_have_pgvector_and_ask_for_a_password(data_dir: Path) -> None:
    with EmbeddedServers(data_dir, durable=False) as servers:
        with psycopg.connect(servers.database_url) as found:
            found.execute("CREATE EXTENSION vector")
            assert found.execute("SELECT '[1,2]'::vector <-> '[1,3]'").fetchone() == (1.0,)
        address = servers.database_url.rpartition("@")[2]
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(f"postgresql://griot:wrong@{address}")
        with (
            redis.Redis.from_url(f"redis://{servers.redis_url.rpartition('@')[2]}") as client,
            pytest.raises(redis.AuthenticationError),
        ):
            client.get("x")


def test_lock_of_a_dead_server_whose_number_another_process_has_does_not_block(data_dir: Path) -> None:
    with EmbeddedServers(data_dir, valkey=False) as first:
        assert number_of_rows(first.database_url) == 1
    # In a container the same small numbers come again. PostgreSQL takes any process of its own account for a server.
    user, group = database_account().drop or (None, None)
    with sleeping(user=user, group=group) as stranger:
        lock = data_dir / "postgres" / "postmaster.pid"
        lock.write_text(f"{stranger.pid}\n{data_dir}/postgres\n1700000000\n5432\n\n127.0.0.1\n  1 2\nready\n")
        (data_dir / "postgres" / ".s.PGSQL.5432.lock").write_text(f"{stranger.pid}\n")
        with EmbeddedServers(data_dir, valkey=False) as second:
            assert number_of_rows(second.database_url) == 2
        assert stranger.poll() is None


def test_recorded_process_of_a_dead_owner_is_stopped(data_dir: Path) -> None:
    with sleeping() as left_behind:
        entry = {"pid": left_behind.pid, "mark": processes.start_mark(left_behind.pid)}
        (data_dir / "servers.json").write_text(json.dumps({"processes": {"valkey": entry}}))
        with EmbeddedServers(data_dir, postgres=False):
            assert left_behind.wait(1) == -signal.SIGINT


def test_servers_of_a_killed_owner_do_not_block_the_next(data_dir: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD.format(path=str(data_dir))], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        database_url = owner.stdout.readline().split()[0]
        assert number_of_rows(database_url) == 1
        postmaster = int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0])
        owner.send_signal(signal.SIGKILL)
        owner.wait()

        with EmbeddedServers(data_dir) as servers:
            assert servers.owner
            assert processes.start_mark(postmaster) is None
            assert number_of_rows(servers.database_url) == 2


def test_running_servers_of_another_process_are_shared_and_left_running(data_dir: Path) -> None:
    assert running_urls(data_dir) == {}
    with EmbeddedServers(data_dir, durable=False) as owner:
        with EmbeddedServers(data_dir) as guest:
            assert guest.owner is False
            assert guest.database_url == owner.database_url
        assert number_of_rows(owner.database_url) == 1
        assert running_urls(data_dir)["redis_url"] == owner.redis_url
    assert running_urls(data_dir) == {}


def test_dead_servers_are_healed_in_place(data_dir: Path) -> None:
    with EmbeddedServers(data_dir, valkey=False) as servers:
        assert number_of_rows(servers.database_url) == 1
        assert servers.heal() == []
        url = servers.database_url
        postmaster = int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGKILL)
        while not servers._postgres.exited():  # type: ignore[union-attr]
            pass
        assert servers.heal() == ["postgres"]
        assert servers.database_url == url
        assert number_of_rows(url) == 2


def test_servers_for_tests_have_places_of_their_own_and_leave_no_data() -> None:
    with EmbeddedServers(durable=False, postgres=False) as one, EmbeddedServers(durable=False, postgres=False) as two:
        assert one.data_dir != two.data_dir
        assert {one.data_dir.parent, two.data_dir.parent} == {VAR}
        assert one.redis_url != two.redis_url
        used = one.data_dir
        assert (used / "valkey").is_dir()
        with pytest.raises(StackError, match="database_url"):
            _ = one.database_url
    assert not (used / "valkey").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the database as another account")
def test_closed_directory_moves_the_database_to_one_that_its_account_reaches(
    data_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    closed = data_dir / "closed"
    closed.mkdir(mode=0o700)
    with EmbeddedServers(closed, durable=False, valkey=False) as servers:
        assert number_of_rows(servers.database_url) == 1
        assert not (closed / "postgres").exists()
        line = capfd.readouterr().err
    assert line.startswith("The database is in ")
    assert line.endswith(f"account cannot enter {closed}\n")
    assert not Path(line.split()[4].rstrip(":")).exists()


def test_interrupted_initialisation_is_done_again(data_dir: Path) -> None:
    (data_dir / "postgres").mkdir()
    (data_dir / "postgres" / "base").mkdir()
    with EmbeddedServers(data_dir, durable=True, valkey=False) as servers:
        assert number_of_rows(servers.database_url) == 1


def test_a_relative_directory_means_the_one_seen_from_here(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data_dir.parent)
    servers = EmbeddedServers(Path(data_dir.name))
    assert servers.data_dir == data_dir.resolve()


def test_a_crashed_postgres_comes_back_with_its_data_and_a_crashed_valkey_without(tmp_path):
    with EmbeddedServers(tmp_path) as servers:
        with psycopg.connect(servers.database_url) as connection:
            connection.execute("CREATE TABLE kept (n int)")
        with redis.Redis.from_url(servers.redis_url) as client:
            client.set("lost", 1)
        urls = servers.database_url, servers.redis_url
        servers.crash("postgres")
        servers.crash("valkey", lose_data=True)
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(servers.database_url)
        assert sorted(servers.heal()) == ["postgres", "valkey"]
        assert (servers.database_url, servers.redis_url) == urls
        with psycopg.connect(servers.database_url) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
        with redis.Redis.from_url(servers.redis_url) as client:
            assert client.get("lost") is None


def test_the_databases_data_is_never_thrown_away(tmp_path):
    with EmbeddedServers(tmp_path, valkey=False) as servers:
        with pytest.raises(StackError, match="promised to stay"):
            servers.crash("postgres", lose_data=True)
        with pytest.raises(StackError, match="not ours"):
            servers.crash("valkey")
        assert servers.heal() == []
