"""The command line: one file a command, found by its name and imported only when it is used.

A command is a module of this package whose name has no underscore in front; it has a click
command called `command`. Such a module imports nothing but click and `hookflash.errors` at its
top, so that `hookflash --help` answers at once.

Exit codes: 0 done, 1 it did not work, 2 something must be changed first (a setting, an option, a
file), 130 interrupted.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from typing import Any

import click

from hookflash.errors import ConfigError, HookflashError


class Commands(click.Group):
    """Finds commands by the names of the modules beside this one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        names = [module.name for module in pkgutil.iter_modules(__path__)]
        return sorted(name.replace("_", "-") for name in names if not name.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"hookflash.cli.{cmd_name.replace('-', '_')}")
        command: Any = module.command
        return command if isinstance(command, click.Command) else None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hookflash", prog_name="hookflash")
def hookflash() -> None:
    """An AI agent answers your phone line and brings a human onto the live call."""


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit. Errors of ours are told in words, without a traceback."""
    try:
        code = hookflash.main(arguments, prog_name="hookflash", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except HookflashError as error:
        click.echo(f"hookflash: {error}", err=True)
        sys.exit(2 if isinstance(error, ConfigError) else 1)
    sys.exit(code if isinstance(code, int) else 0)
