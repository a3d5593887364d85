"""`triage tickets`: the tickets, a line each."""

from __future__ import annotations

import shutil
import sys
from datetime import UTC, datetime, timedelta

import click

from triage.cli import Context
from triage.core.lifecycle import ANSWERED, AWAITING, CLOSED, OPEN, REFUSED, STATES
from triage.core.text import json_line


@click.command()
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Only these states; may be repeated.")
@click.option("--partner", help="Only this partner's.")
@click.option("--due", type=click.Choice(["overdue", "today", "week"]), help="Only with a clock that runs out.")
@click.option("--all", "everything", is_flag=True, help="Closed ones too.")
@click.option("--limit", default=200, show_default=True, type=click.IntRange(1, 1_000_000), help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.pass_obj
def tickets(
    context: Context,
    states: tuple[str, ...],
    partner: str | None,
    due: str | None,
    everything: bool,
    limit: int,
    as_json: bool,
) -> None:
    """List tickets: those with a running clock first, by due time. "~" marks a time that is not guaranteed,
    "!" one that is over.

    \b
    triage tickets --state open --due today
    triage tickets --partner "Acme GPS" --all
    """
    from triage import assembly, report

    now = datetime.now(UTC)
    spans = {"overdue": timedelta(), "today": timedelta(days=1), "week": timedelta(days=7)}
    wanted = states or (STATES if everything else tuple(one for one in (OPEN, AWAITING, ANSWERED, REFUSED)))
    store = assembly.store(context.loaded, upgrade=False)
    with store.look() as tx:
        rows = tx.tickets.select(
            states=() if set(wanted) >= {*STATES, CLOSED} else wanted,
            partner=partner,
            due_before=now + spans[due] if due else None,
            limit=limit,
        )
    store.close()
    if as_json:
        for row in rows:
            click.echo(json_line({key: _plain(value) for key, value in row.items()}))
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
        click.echo(report.ticket_table(rows, now, width))


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
