"""`triage rules`: what a support manager does with a rule pack."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from triage.adapters import packs
from triage.commands.rules_diff import diff
from triage.core.errors import Fault, PackError
from triage.core.pack import Pack


@click.group("rules")
def rules() -> None:
    """Check a rule pack, and see what a new version would change.

    \b
    triage rules check rules/acme
    triage rules diff navixy rules/acme archive.mbox
    """


@rules.command("check")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def check(folder: Path) -> None:
    """Validate the rule pack in DIR (or a shipped one, by its name) and run its examples.

    Every fault is a line: file, where in it, what was found and what would be right.

    \b
    triage rules check rules/navixy
    """
    from triage.adapters import examples

    try:
        found = packs.find(str(folder), Path()).resolve()  # faults are told with the folder's name, also that of "."
        pack = packs.load(found)
        packs.versions(found)
    except PackError as error:
        raise click.exceptions.Exit(_say(error.faults)) from error
    number, faults = examples.run(pack, found, examples.judge(pack))
    if faults:
        raise click.exceptions.Exit(_say(faults))
    click.echo(f"ok: {', '.join(_counts(pack, number))}")


def _say(faults: Sequence[Fault]) -> int:
    """Print faults, one a line; the exit status."""
    for fault in faults:
        click.echo(" ".join(str(fault).split()), err=True)
    click.echo(f"{len(faults)} {'fault' if len(faults) == 1 else 'faults'}", err=True)
    return 1


def _counts(pack: Pack, number_of_examples: int) -> list[str]:
    manifest = pack.manifest
    phrases = sum(len(rule.phrases) for words in pack.words.values() for rule in words.rule)
    forms = sum(len(words.form) for words in pack.words.values())
    replies = sum(len(texts) for texts in pack.replies.values())
    return [
        f"{manifest.name} {manifest.version}, in force from {manifest.in_force}",
        f"{len(pack.clauses)} clauses",
        f"{len(pack.services)} services",
        f"{len(pack.targets)} response times",
        f"{phrases} phrases and {forms} forms in {len(manifest.languages)} languages",
        f"{replies} reply texts",
        f"{number_of_examples} examples",
    ]


rules.add_command(diff)
