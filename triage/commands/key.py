"""`triage key rotate`: a new key signs ticket tokens from now on."""

from __future__ import annotations

import click

from triage.cli import Context


@click.group()
def key() -> None:
    """The key that signs ticket tokens in our Message-IDs.

    \b
    triage key rotate
    """


@key.command()
@click.pass_obj
def rotate(context: Context) -> None:
    """Make a new key. Tokens of the last few keys are still known; restart the daemon afterwards.

    \b
    triage key rotate
    """
    from triage import assembly
    from triage.adapters import keys

    file = assembly.key_file(context.loaded)
    keys.rotate(file)
    click.echo(f"{file}: a new key signs from the daemon's next start on; the old ones are still known")
