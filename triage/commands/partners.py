"""`triage partners check`: validate a partner file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from triage.cli import Context


@click.group()
def partners() -> None:
    """Validate a partner file."""


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
