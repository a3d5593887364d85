"""`triage explain`: what would be decided on mail files, and why. Sends and stores nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from triage.cli import Context


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line for each file.")
@click.pass_obj
def explain(context: Context, files: tuple[Path, ...], as_json: bool) -> None:
    """Show what would be decided on these .eml files, why, and the reply that would go out.

    Needs no server and no database; without a configuration: the shipped rules and no partners.

    \b
    triage explain mail.eml
    triage explain --json *.eml
    """
    show = _as_json if as_json else _as_text
    judge = judge_of(context)
    broken = False
    for file in files:
        try:
            raw = file.read_bytes()
        except OSError as error:
            from triage.core.explained import failed

            broken = True
            click.echo(show(failed(str(file), error.strerror or str(error))))
            continue
        click.echo(show(judge(str(file), raw)))
    if broken:
        raise click.exceptions.Exit(1)


def judge_of(context: Context) -> Callable[[str, bytes], dict[str, Any]]:
    """The judgement on one mail, as a function of its bytes."""
    from triage import assembly
    from triage.adapters.mime import parse
    from triage.core import authenticity, directory
    from triage.core.decide import decide
    from triage.core.explained import explained, failed
    from triage.core.reading.read import read
    from triage.core.received import judged_at, received_at

    loaded = context.loaded_or_default
    rules, desk = context.rules, context.desk()
    partners = assembly.directory(loaded, rules.pack)
    plans = frozenset(one.id for one in rules.pack.deployments if one.subscription)
    trust = assembly.trust(loaded.config.mailbox[0])

    def judge(file: str, raw: bytes) -> dict[str, Any]:
        try:
            email = authenticity.author(parse(raw), trust)
            email = replace(email, received=received_at(email))
            now = judged_at(email, datetime.now(UTC))
            reading = read(email, rules.pack, desk)
            sender = directory.identify(
                email,
                partners,
                now,
                deployments_with_subscription=plans,
                staff=loaded.config.staff.addresses,
                verified=authenticity.verify(email, trust),
                own=desk.addresses,
            )
            return explained(file, email, reading, sender, decide(email, reading, sender, rules, now))
        except Exception as error:  # one mail: its line says so, the next file is looked at all the same
            return failed(file, f"surprise: {type(error).__name__}: {str(error)[:200]}")

    return judge


def _as_json(found: dict[str, Any]) -> str:
    return json.dumps(found, ensure_ascii=False)


def _as_text(found: dict[str, Any]) -> str:
    from triage.report import explanation

    return explanation(found)
