"""`triage show`: one ticket's whole story."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import click

from triage.cli import Context
from triage.core.errors import TriageError
from triage.core.text import lines


@click.command()
@click.argument("number")
@click.pass_obj
def show(context: Context, number: str) -> None:
    """Tell the story of a ticket: mails, readings, decisions with their clauses, promises, clocks, answers.

    \b
    triage show 1001
    """
    from triage import assembly
    from triage.adapters.db.tickets import id_of
    from triage.story import story

    store = assembly.store(context.loaded, upgrade=False)
    ticket = id_of(number)
    with store.look() as tx:
        row = tx.tickets.row(ticket) if ticket is not None else None
        if row is None or ticket is None:
            raise TriageError(f"there is no ticket {number}; `triage tickets --all` lists them")
        events = [(line.at, line.event, line.keys) for line in tx.tickets.story(ticket)]
        mails = [_fields(mail) for mail in tx.mails.of_ticket(ticket)]
        promises = [_fields(promise) for promise in tx.clocks.promises_of(ticket)]
    store.close()
    click.echo(lines(story(row, events, mails, promises, datetime.now(UTC))))


def _fields(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
