"""`python -m bench.faults [--messages N] [--rounds N] [--seed S] [--kind K] [--faults kill,...]`: prints a table.

Real processes on servers of their own (`var/faults`, with fsync): two dispatch workers, two default workers, two beats,
the web server, the simulated provider behind a proxy, two organisations with three channels each. Exit code 1 when
anything was lost, sent twice, left open, miscounted or stuck. The same seed injects the same faults at the same points.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator

from bench.faults.channels import channels_make
from bench.faults.kinds import FAULTS, GROUPS, Fault
from bench.faults.outages import rows_outages
from bench.faults.pacing import rows_pacing
from bench.faults.proxy import Proxy
from bench.faults.scene import PROCESSES, Scene
from bench.faults.storm import rows_storm
from bench.platform_access import django_connect
from bench.table import Row, print_head, print_row
from config.stack.environment import Listening, child_path, platform_environment, with_servers
from config.stack.errors import StackError
from config.stack.instance import ALL, Instance
from config.stack.paths import VAR
from config.stack.ports import port_choose
from config.stack.servers import EmbeddedServers

# Two channels at Meta's pace keep the load going through the faults, the third shows bursts.
RATES = (80, 50, 0)
OUTAGES, PACING = "outages", "pacing"
WHATSAPP, SMS = "whatsapp_cloud", "sms_http"
CHOICES = (*GROUPS, OUTAGES, PACING)
SETTINGS = {
    "DISPATCH_LEASE_SECONDS": "5",
    "SEND_TIMEOUT_SECONDS": "5",
    "SANDBOX_SWITCH_MAGIC": "false",
    "SANDBOX_SWITCH_LATENCY_MS": "50",
    # All reports twice now and then, in any order, and late: at the same time as everything else.
    "SANDBOX_SWITCH_STATUS_DUPLICATE": "0.2",
    "SANDBOX_SWITCH_STATUS_SHUFFLE": "true",
    "SANDBOX_SWITCH_SENT_AFTER_MS": "500",
    "SANDBOX_SWITCH_DELIVERED_AFTER_MS": "1500",
    "SANDBOX_SWITCH_READ_AFTER_MS": "3000",
}


def main() -> int:
    """Run what is asked for. Exit code 1 when a promise was broken, 2 for a mistake in the arguments."""
    options = _parser().parse_args()
    groups = options.faults.split(",") if options.faults else CHOICES
    if unknown := set(groups) - set(CHOICES):
        _parser().error(f"no such faults: {', '.join(sorted(unknown))} (there are {', '.join(CHOICES)})")
    faults = [fault for fault in FAULTS if fault.group in groups]
    print_head()
    with EmbeddedServers(VAR / "faults") as servers:
        if not servers.owner:
            raise StackError("Another fault run is going on")
        missed = False
        for row in _rows(servers, options, faults, set(groups)):
            print_row(row)
            missed = missed or row.reached is False
    return int(missed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.faults")
    parser.add_argument("--messages", type=int, default=20_000, help="how many to send (default: 20000)")
    parser.add_argument("--rounds", type=int, default=2, help="how often each fault is injected (default: 2)")
    parser.add_argument("--seed", type=int, default=1, help="decides which fault comes when (default: 1)")
    parser.add_argument(
        "--kind", choices=(WHATSAPP, SMS), default=WHATSAPP, help="of the channels (default: %(default)s)"
    )
    parser.add_argument("--faults", help=f"only these, with commas: {', '.join(CHOICES)}")
    return parser


def _rows(
    servers: EmbeddedServers, options: argparse.Namespace, faults: list[Fault], groups: set[str]
) -> Iterator[Row]:
    environ = platform_environment(
        os.environ, Listening.read({}), mode="dev", secrets_file=servers.data_dir / "secrets.json"
    )
    environ = with_servers(environ, servers, {"postgres": True, "valkey": True}) | {"PATH": child_path()}
    proxy = Proxy(port_choose())
    instance = Instance(environ, settings={**SETTINGS, "SANDBOX_URL": proxy.url, "META_GRAPH_URL": proxy.url})
    proxy.start(instance.sandbox_port)
    with instance:
        django_connect(instance)
        for name, kind in PROCESSES.items():
            if name not in ALL:
                instance.start(kind, as_name=name)
        channels = channels_make(instance.demo, RATES, options.kind)
        scene = Scene(instance, channels, proxy, servers, tells_read=options.kind != SMS)
        try:
            if faults:
                yield from rows_storm(
                    scene, faults, messages=options.messages, rounds=options.rounds, seed=options.seed
                )
            if OUTAGES in groups:
                yield from rows_outages(scene)
            if PACING in groups:
                yield from rows_pacing(scene, seed=options.seed)
        except Exception:
            sys.stderr.write(instance.log_tail(20_000))
            raise
        finally:
            proxy.switch("pass")
    proxy.stop()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except StackError as error:
        sys.stderr.write(f"griot: {error}\n")
        sys.exit(2)
