"""The command line: which command, with which configuration; an error is one readable line.

Exit status: 0 done, 1 the work failed, 2 wrong usage or configuration.
"""

from __future__ import annotations

import importlib
import os
import sys
from functools import cached_property
from pathlib import Path

import click

from triage.core.clock import Rules
from triage.core.errors import ConfigError, TriageError
from triage.core.model import Desk
from triage.core.pack import Pack

# A command is loaded when it is named: each start stays quick. name -> what it does, in a line
COMMANDS = {
    "run": "The daemon: read the mailbox, answer, keep the clocks.",
    "check": "Say whether configuration, rules, partners, database and servers are in order.",
    "explain": "Show what would be decided on mail files, and why.",
    "due": "Reckon response times from JSON lines.",
    "evaluate": "Hold labelled messages against what the program reads.",
    "rules": "Validate rule packs, and compare two of them.",
    "partners": "Validate a partner file.",
    "tickets": "List tickets.",
    "show": "Tell one ticket's whole story.",
    "ticket": "Correct a ticket, as staff does by mail.",
    "log": "Show the log readably.",
    "requeue": "Handle a quarantined mail again.",
    "forget": "Remove a person's data.",
    "backup": "Copy the database while the daemon runs.",
    "key": "Rotate the key that signs ticket tokens.",
    "demo": "Show the main job on a mail server inside the process.",
}


class Context:
    """What commands share: the configuration and what is built from it, each when it is first asked for."""

    def __init__(self, file: Path | None) -> None:
        self._file = file

    @cached_property
    def loaded(self):  # type: ignore[no-untyped-def]  # the type would load pydantic for every --help
        """The configuration. Raises ConfigError when there is none."""
        from triage import config

        file = self._file or _default_file()
        if file is None and not _environment_is_set():
            raise ConfigError("no configuration: copy config.example.toml to config.toml, or name one with --config")
        return config.load(file)

    @cached_property
    def loaded_or_default(self):  # type: ignore[no-untyped-def]
        """The configuration, or the shipped rules alone where there is none."""
        from triage import config

        return config.load(self._file or _default_file())

    def pack(self) -> Pack:
        """The rule pack in force."""
        return self.rules.pack

    @cached_property
    def rules(self) -> Rules:
        """The pack in force with its calendars."""
        from triage import assembly

        return assembly.rules(self.loaded_or_default)

    def desk(self) -> Desk:
        """Our own addresses, with the key where there is one."""
        from triage import assembly

        loaded = self.loaded_or_default
        return assembly.desk(loaded, with_key=assembly.key_file(loaded).exists())


class _Commands(click.Group):
    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"triage.commands.{name}")
        command: click.Command = getattr(module, name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:  # it knows only commands that are loaded
            raise click.exceptions.NoSuchCommand(error.command_name, possibilities=COMMANDS, ctx=ctx) from None

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration file. Default: $TRIAGE_CONFIG, then ./config.toml.",
)
@click.version_option(package_name="triage", message="triage %(version)s")
@click.pass_context
def _main(ctx: click.Context, file: Path | None) -> None:
    """Mail triage for technical support.

    \b
    triage --config /etc/triage.toml check
    triage explain mail.eml
    """
    ctx.obj = Context(file)


def main() -> None:
    """The entry point of `triage`."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """One command. Returns the exit status."""
    try:
        # A command that ends with click's Exit: its status is what main returns here.
        status = _main.main(args=_config_first(arguments), prog_name="triage", standalone_mode=False)
        return status if isinstance(status, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()  # the commands there are
        return 2
    except click.ClickException as error:
        return _fail(_usage(error), 2)
    except click.Abort:
        return 1
    except ConfigError as error:
        return _fail(str(error), 2)
    except TriageError as error:
        return _fail(str(error), 1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 1
    except Exception as error:  # a fault of ours: told in a line like any other, its place without values
        from triage.events import places

        return _fail(f"a fault in triage: {type(error).__name__} at {' < '.join(reversed(places(error)))}", 1)


def _usage(error: click.ClickException) -> str:
    """What is wrong with the words that were typed, and where help is, on one line."""
    said = " ".join(error.format_message().split())
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{said} ('{error.ctx.command_path} --help' says more)"
    return said


def _fail(message: str, status: int) -> int:
    """What others wrote may stand in it, a password never: not where a server repeats it either."""
    from triage.core.text import lines
    from triage.events import blotted

    for line in lines(blotted(message)).split("\n"):
        click.echo(f"triage: {line}", err=True)
    return status


def _config_first(arguments: list[str]) -> list[str]:
    """`--config` is understood after the command too: people write it there."""
    for index, argument in enumerate(arguments):
        if argument == "--":
            break
        if argument == "--config" and index and index + 1 < len(arguments):
            rest = arguments[:index] + arguments[index + 2 :]
            return ["--config", arguments[index + 1], *rest]
        if argument.startswith("--config=") and index:
            return [argument, *arguments[:index], *arguments[index + 1 :]]
    return arguments


def _default_file() -> Path | None:
    named = os.environ.get("TRIAGE_CONFIG")
    if named:
        return Path(named)
    here = Path("config.toml")
    return here if here.exists() else None


def _environment_is_set() -> bool:
    return any(name.startswith("TRIAGE_") and "__" in name for name in os.environ)
