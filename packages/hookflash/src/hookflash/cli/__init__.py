"""The command line: one module per command, imported only when the command is used.

Each module of this package whose name does not begin with `_` has a click command named `command`.
Other distributions add commands by entry points of the group `hookflash.commands`. Each module
imports only click and `hookflash.errors` at its top, so that `hookflash --help` is fast.

Exit codes: 0 done, 1 failed, 2 something must be changed first (a setting, an option, a file), 130
interrupted.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Any

import click

from hookflash.errors import ConfigError, HookflashError

LOCAL_COMMANDS = ("bench", "call", "carrier", "chat", "demo", "eval", "ledger")
"""The commands of the second distribution, hookflash-local; a test compares the list with it."""

_GROUP = "hookflash.commands"


class Commands(click.Group):
    """Finds commands by the modules of this package and by installed entry points.

    An entry point of the group `hookflash.commands` names a click command.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        modules = [module.name for module in pkgutil.iter_modules(__path__)]
        own = [name.replace("_", "-") for name in modules if not name.startswith("_")]
        return sorted({*own, *entry_points(group=_GROUP).names})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = cmd_name.replace("-", "_")
        if not name.startswith("_") and find_spec(f"{__name__}.{name}") is not None:
            command: Any = importlib.import_module(f"{__name__}.{name}").command
        else:
            found = tuple(entry_points(group=_GROUP, name=cmd_name))
            if not found and cmd_name in LOCAL_COMMANDS:
                raise ConfigError(
                    f"`hookflash {cmd_name}` is part of the distribution hookflash-local, which is"
                    " not installed: run `pip install ./packages/hookflash-local` in the folder of"
                    " Hookflash's sources"
                )
            command = found[0].load() if found else None
        return command if isinstance(command, click.Command) else None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hookflash", prog_name="hookflash")
def hookflash() -> None:
    """An AI agent answers your phone line and brings a human onto the live call."""


def _names() -> list[str]:
    return hookflash.list_commands(click.Context(hookflash))


def exit_code(error: HookflashError) -> int:
    """Return the exit code of a command that ends with this error."""
    return 2 if isinstance(error, ConfigError) else 1


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit. Hookflash's own errors are printed without a traceback."""
    try:
        code = hookflash.main(arguments, prog_name="hookflash", standalone_mode=False)
    except click.UsageError as error:
        # One line, as every other error: what is wrong, and where it is explained.
        command = error.ctx.command_path if error.ctx is not None else "hookflash"
        given = sys.argv[1:] if arguments is None else arguments
        if command == "hookflash" and given[:1] and given[0] in _names():
            # click reads some mistakes before it knows the command.
            command = f"hookflash {given[0]}"
        message = error.format_message().rstrip(".")
        click.echo(f"hookflash: {message}; see `{command} --help`", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except HookflashError as error:
        click.echo(f"hookflash: {error}", err=True)
        sys.exit(exit_code(error))
    sys.exit(code if isinstance(code, int) else 0)
