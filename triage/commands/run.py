"""`triage run`: the daemon."""

from __future__ import annotations

import click

from triage.cli import Context


@click.command()
@click.option("--once", is_flag=True, help="Handle all that waits (mail in, mail out, clocks due), then end.")
@click.pass_obj
def run(context: Context, once: bool) -> None:
    """Read the mailbox, answer, keep the clocks, until SIGTERM or SIGINT.

    SIGHUP puts changed rules in force.

    \b
    triage --config /etc/triage.toml run
    triage run --once
    """
    from triage import events, start

    loaded = context.loaded
    target = loaded.config.log.file
    events.hide(*loaded.secrets)
    events.set_up(target if target == "-" else loaded.path(target), loaded.config.log.level)
    start.run(loaded, once=once)
