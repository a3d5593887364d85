"""`triage ticket`: correct a ticket, as staff does by mail."""

from __future__ import annotations

import getpass

import click

from triage.cli import Context
from triage.core.commands import Command
from triage.core.errors import ConfigError, TriageError
from triage.core.text import one_line


@click.command()
@click.argument("number")
@click.option("--severity", help="Correct the severity; the due time is reckoned anew.")
@click.option("--deployment", help="Correct the deployment; the due time is reckoned anew.")
@click.option("--partner", metavar="NAME", help="Whoever opened it belongs to this partner, and so does the ticket.")
@click.option("--accept", is_flag=True, help="Override a refusal, or go on although something is missing.")
@click.option("--close", "close_", is_flag=True, help="Close it.")
@click.option("--reopen", is_flag=True, help="Open it again.")
@click.option("--split", is_flag=True, help="Make a second ticket of it, for another question in it.")
@click.pass_obj
def ticket(
    context: Context,
    number: str,
    severity: str | None,
    deployment: str | None,
    partner: str | None,
    accept: bool,
    close_: bool,
    reopen: bool,
    split: bool,
) -> None:
    """Correct a ticket. What was promised to the partner stays on record.

    \b
    triage ticket 1001 --severity 1
    triage ticket 1001 --accept
    """
    from datetime import UTC, datetime

    from triage import assembly, events
    from triage.adapters.db.tickets import id_of
    from triage.core import commands
    from triage.steps import staff
    from triage.steps.telling import Telling

    asked = [("severity", severity), ("deployment", deployment), ("partner", partner)]
    words = [f"#{word} {one_line(value)}" for word, value in asked if value]
    words += [
        f"#{word}" for word, on in (("accept", accept), ("close", close_), ("reopen", reopen), ("split", split)) if on
    ]
    if not words:
        raise ConfigError("nothing to do: name a correction, such as --severity 1 (--help lists them)")
    rules = context.rules
    orders: tuple[Command, ...] = commands.read("\n".join(words), rules.pack)
    for order in orders:
        if order.fault:
            raise ConfigError(f"--{order.word}: {order.fault}")
    loaded = context.loaded
    events.set_up(
        loaded.path(loaded.config.log.file) if loaded.config.log.file != "-" else "-", loaded.config.log.level
    )
    store = assembly.store(loaded, upgrade=False)
    office = assembly.office(loaded, rules)
    telling = Telling(datetime.now(UTC))
    done = []
    with store.begin() as tx:
        found = tx.tickets.get(id_of(number) or 0)
        if found is None:
            raise TriageError(f"there is no ticket {number}; `triage tickets --all` lists them")
        for order in orders:
            by = f"{getpass.getuser()} (command line)"
            done.append(staff.obey(tx, order, found, found.requester, office, telling, by))
    telling.say()
    store.close()
    for line in done:
        click.echo(one_line(line, 1000))
