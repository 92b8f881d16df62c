"""`python -m config.stack`: run, env, exec."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from config.stack.errors import StackError
from config.stack.run import run
from config.stack.shell import execute, export_lines


def main(arguments: list[str]) -> int:
    """Dispatch to the command. Returns an exit code; a mistake is one line on stderr and code 2."""
    options = _parser().parse_args(arguments)
    try:
        if options.action == "run":
            return run(os.environ)
        if options.action == "env":
            sys.stdout.write(export_lines(os.environ) + "\n")
            return 0
        return execute(os.environ, _command(options.command), test=options.test, data_dir=options.data_dir)
    except StackError as error:
        sys.stderr.write(f"griot: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m config.stack", description="Run the platform on this machine.")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("run", help="start everything and stay until Ctrl-C")
    actions.add_parser("env", help="print export lines for the servers of a running platform")
    execution = actions.add_parser("exec", help="run a command with the embedded servers")
    execution.add_argument("--test", action="store_true", help="servers of its own, data thrown away, GRIOT_ENV=test")
    execution.add_argument("--data-dir", type=Path, help="where the servers keep their data (default: var)")
    execution.add_argument("command", nargs=argparse.REMAINDER, help="-- COMMAND ARGUMENTS...")
    return parser


def _command(words: list[str]) -> list[str]:
    command = words[1:] if words[:1] == ["--"] else words
    if not command:
        raise StackError("exec needs a command: python -m config.stack exec -- COMMAND")
    return command


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
