"""`triage explain`: what would be decided on mail files, and why. Sends and stores nothing."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from triage.cli import Context
from triage.core.errors import ConfigError

if TYPE_CHECKING:
    from triage.adapters.readers import Done, Job
    from triage.core.model import Decision, Email, Reading

_WORTH_PROCESSES = 24  # files: with fewer, starting a process takes longer than it saves
_WIDEST, _NARROWEST = 120, 60
_STDIN = "-"


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each file.")
@click.option("--deployment", help="Take every sender for an authorized partner who has this deployment.")
@click.pass_obj
def explain(context: Context, files: tuple[Path, ...], as_json: bool, deployment: str | None) -> None:
    """Show what would be decided on these .eml files, why, and the reply that would go out.

    Needs no server and no database; without a configuration: the shipped rules and no partners. A file is judged as the
    first mail of its conversation, received when its topmost Received header says. "-" is standard input.

    \b
    triage explain mail.eml
    triage explain --deployment paas mail.eml
    triage explain --json *.eml
    """
    judge = Judge(context, deployment)
    show = _Json(judge) if as_json else _Text(judge)
    failed = False
    for file, outcome in _outcomes(judge, files):
        if isinstance(outcome, str):
            failed = True
            click.echo(show.failure(str(file), outcome))
        else:
            click.echo(show.mail(*outcome))
    if failed:
        raise click.exceptions.Exit(1)


Judged = tuple[dict[str, Any], "Reading", "Decision"]


class Judge:
    """Decides on mail by the configuration, as far as there is one. Raises ConfigError when it is made."""

    def __init__(self, context: Context, deployment: str | None = None) -> None:
        from triage import assembly
        from triage.core.pack import Pack

        loaded = context.loaded_or_default
        self.settings = loaded.config
        self.rules = context.rules
        self.pack: Pack = self.rules.pack
        self.trust = assembly.trust(loaded.config.mailbox[0])
        self.desk = replace(context.desk(), trust=self.trust)
        self.partners = assembly.directory(loaded, self.pack)
        self.deployment = deployment
        if deployment is not None and deployment not in self.pack.deployment_by_id:
            known = ", ".join(self.pack.deployment_by_id)
            raise ConfigError(f"--deployment {deployment!r}: the rule pack knows {known}")
        self.plans = frozenset(one.id for one in self.pack.deployments if one.subscription)

    def of(self, file: str, email: Email, reading: Reading) -> Judged:
        """What is decided on a mail that was read."""
        from triage.core import authenticity, directory
        from triage.core.decide import decide
        from triage.core.explained import explained
        from triage.core.received import judged_at, received_at

        email = replace(email, received=received_at(email))
        now = judged_at(email, datetime.now(UTC))
        if self.deployment:
            sender = directory.assumed(email, self.deployment)
        else:
            sender = directory.identify(
                email,
                self.partners,
                now,
                deployments_with_subscription=self.plans,
                staff=self.settings.staff.addresses,
                verified=authenticity.verify(email, self.trust),
                own=self.desk.addresses,
            )
        decision = decide(email, reading, sender, self.rules, now)
        return explained(file, email, reading, sender, decision), reading, decision


def _outcomes(judge: Judge, files: Sequence[Path]) -> Iterator[tuple[Path, Judged | str]]:
    """For each file, in order, what is decided, or why it cannot be read."""
    from triage.adapters.readers import Job, Readers

    unreadable: dict[int, str] = {}

    def jobs() -> Iterator[Job]:
        for key, file in enumerate(files):
            try:
                yield Job(key, _bytes(file, judge.settings.limits.max_message_bytes), None)
            except OSError as error:
                unreadable[key] = error.strerror or type(error).__name__

    processes = len(os.sched_getaffinity(0)) if len(files) >= _WORTH_PROCESSES else 0
    readers = Readers(judge.pack, judge.desk, processes, judge.settings.limits.seconds_per_mail)
    try:
        waiting = iter(readers.read(jobs()))
        done: Done | None = next(waiting, None)
        for key, file in enumerate(files):
            if done is not None and done.key == key:
                yield file, _outcome(judge, file, done)
                done = next(waiting, None)
            else:
                yield file, unreadable[key]
    finally:
        readers.close()


def _outcome(judge: Judge, file: Path, done: Done) -> Judged | str:
    if done.email is None or done.reading is None:
        return done.failure
    try:
        return judge.of(str(file), done.email, done.reading)
    except Exception as error:  # one mail: its line says so, the next file is looked at all the same
        return f"deciding failed: {type(error).__name__}: {str(error)[:200]}"


def _bytes(file: Path, most: int) -> bytes:
    """The file, as much of it as the daemon would take of a mail."""
    if str(file) == _STDIN:
        return sys.stdin.buffer.read(most)
    with file.open("rb") as opened:
        return opened.read(most)


# ---------------------------------------------------------------- how it is shown


class _Json:
    """One object a line."""

    def __init__(self, judge: Judge) -> None:
        self._fields = tuple(judge.pack.field_by_id)
        self._ascii = "utf" not in (sys.stdout.encoding or "").lower()

    def mail(self, found: dict[str, Any], _reading: Reading, _decision: Decision) -> str:
        from triage.core.text import json_line

        return json.dumps(found) if self._ascii else json_line(found)

    def failure(self, file: str, error: str) -> str:
        from triage.core.explained import failed

        return json.dumps(failed(file, error, self._fields))


class _Text:
    """For people, as wide as the terminal."""

    def __init__(self, judge: Judge) -> None:
        from triage.explanation import Paint

        columns = shutil.get_terminal_size((100, 24)).columns
        tty = sys.stdout.isatty()
        self._pack = judge.pack
        self._paint = Paint(
            min(max(columns, _NARROWEST), _WIDEST) if tty else 100, tty and "NO_COLOR" not in os.environ
        )

    def mail(self, found: dict[str, Any], reading: Reading, decision: Decision) -> str:
        from triage.explanation import explanation

        return explanation(found, reading, decision, self._pack, self._paint)

    def failure(self, file: str, error: str) -> str:
        from triage.core.explained import failed
        from triage.explanation import explanation

        return explanation(failed(file, error), None, None, self._pack, self._paint)
