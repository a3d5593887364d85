"""`triage partners`: validate a partner file, give an address to a partner."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from triage.cli import Context


@click.group()
def partners() -> None:
    """Validate a partner file, give an address to a partner.

    \b
    triage partners check partners.csv
    """


@partners.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def check(context: Context, file: Path) -> None:
    """Say every fault of a partner file, with its line.

    \b
    triage partners check partners.csv
    """
    from triage.adapters import partners as adapter

    contacts, faults = adapter.read(file, context.pack())
    for fault in faults:
        click.echo(str(fault), err=True)
    if faults:
        raise click.exceptions.Exit(1)
    names = {contact.partner for contact in contacts}
    plans = Counter(contact.deployment for contact in contacts)
    shown = ", ".join(f"{count} {plan}" for plan, count in plans.most_common())
    click.echo(f"{file}: ok: {len(names)} partners, {len(contacts)} addresses ({shown})")


@partners.command()
@click.argument("address")
@click.argument("partner")
@click.pass_obj
def adopt(context: Context, address: str, partner: str) -> None:
    """Say that ADDRESS belongs to PARTNER, as `#partner` does by mail. What it wrote and was refused is handled again
    by the daemon, with the time at which it came in.

    \b
    triage partners adopt tom@freemail.example "Acme GPS"
    """
    import getpass
    from datetime import UTC, datetime

    from triage import assembly, events
    from triage.core.commands import Command
    from triage.core.errors import ConfigError
    from triage.core.text import one_line
    from triage.steps import staff
    from triage.steps.telling import Telling

    address = address.strip().lower()
    if address.count("@") != 1 or address.startswith("@") or address.endswith("@"):
        raise ConfigError(f"{address!r} is no address; give one mailbox, as in ana@partner.example")
    loaded = context.loaded
    target = loaded.config.log.file
    events.set_up(target if target == "-" else loaded.path(target), loaded.config.log.level)
    store = assembly.store(loaded, upgrade=False)
    office = assembly.office(loaded, context.rules)
    telling = Telling(datetime.now(UTC))
    order = Command("partner", one_line(partner))
    with store.begin() as tx:
        by = f"{getpass.getuser()} (command line)"
        said = staff.obey(tx, order, None, address, office, telling, by)
    telling.say()
    store.close()
    click.echo(one_line(said, 1000))
