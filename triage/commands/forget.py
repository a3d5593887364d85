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

    In other people's tickets his address is blotted out, and kept bytes of mail that name him go. Mail on the mail
    server, the partner file and the log files are not touched: the log goes with its rotation.

    \b
    triage forget ana@partner.example
    """
    from triage import assembly
    from triage.core.directory import untagged
    from triage.core.text import ascii_domain

    local, at, domain = address.strip().lower().rpartition("@")
    if not at or not local or "@" in local or not domain:
        raise ConfigError(f"{address!r} is not a mailbox, such as ana@partner.example")
    try:
        address = untagged(f"{local}@{ascii_domain(domain)}")
    except ValueError as error:
        raise ConfigError(str(error)) from None
    loaded = context.loaded
    store, raws = assembly.store(loaded, upgrade=False), assembly.raws(loaded)
    if not yes:
        click.confirm(f"Remove all that is stored of {address}?", abort=True)
    with store.begin() as tx:
        gone = tx.people.forget(address)
    for fingerprint in gone.fingerprints:
        raws.drop(fingerprint)
    raws.drop_naming(address)
    store.settle()
    store.close()
    click.echo(f"{address}: {gone.tickets} tickets, {len(gone.fingerprints)} mails and {gone.replies} replies removed")
    if loaded.config.partners.file and assembly.directory(loaded, context.pack()).contacts(address):
        click.echo(f"{address} still stands in {loaded.path(loaded.config.partners.file)}: take the line out there")
