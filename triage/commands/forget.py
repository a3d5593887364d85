"""`triage forget`: remove a person's data."""

from __future__ import annotations

import click

from triage.cli import Context
from triage.core.errors import ConfigError


@click.command()
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def forget(context: Context, address: str, yes: bool) -> None:
    """Remove what is stored of a person: tickets he opened, mails, replies to him, kept bytes.

    Mail on the mail server is not touched.

    \b
    triage forget ana@partner.example
    """
    from triage import assembly

    address = address.strip().lower()
    if "@" not in address.strip("@"):
        raise ConfigError(f"{address!r} is not a mailbox")
    loaded = context.loaded
    store, raws = assembly.store(loaded, upgrade=False), assembly.raws(loaded)
    if not yes:
        click.confirm(f"Remove all that is stored of {address}?", abort=True)
    with store.begin() as tx:
        gone = tx.people.forget(address)
    for fingerprint in gone.fingerprints:
        raws.drop(fingerprint)
    store.close()
    click.echo(f"{address}: {gone.tickets} tickets, {len(gone.fingerprints)} mails and {gone.replies} replies removed")
