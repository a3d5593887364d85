"""`triage demo`: the main job, on a mail server inside the process."""

from __future__ import annotations

from pathlib import Path

import click

from triage.core.errors import ConfigError


@click.command()
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), help="Where to leave everything.")
def demo(folder: Path | None) -> None:
    """Show the main job: sample mail in, answers out, clocks running. Needs no server and no network.

    \b
    triage demo
    """
    try:
        import aiosmtpd  # noqa: F401
        import pymap  # noqa: F401
    except ImportError:
        raise ConfigError('the demo needs its mail server: pip install "triage[demo]"') from None
    from triage.demo.show import show

    show(folder)
