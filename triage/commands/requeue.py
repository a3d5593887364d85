"""`triage requeue`: handle a quarantined mail again, by the same rules."""

from __future__ import annotations

import click

from triage.cli import Context
from triage.core.errors import TriageError


@click.command()
@click.argument("mail", type=int)
@click.pass_obj
def requeue(context: Context, mail: int) -> None:
    """Handle a quarantined mail again (MAIL is the number in its `message.quarantined` line), without a double.

    The daemon moves it out of the quarantine folder with its next round.

    \b
    triage requeue 42
    """
    from datetime import UTC, datetime

    from triage import assembly, events
    from triage.adapters.readers import reader
    from triage.steps.again import again
    from triage.steps.telling import Telling

    loaded = context.loaded
    rules = context.rules
    events.set_up(
        loaded.path(loaded.config.log.file) if loaded.config.log.file != "-" else "-", loaded.config.log.level
    )
    office = assembly.office(loaded, rules)
    store, raws = assembly.store(loaded, upgrade=False), assembly.raws(loaded)
    with store.look() as tx:
        known = tx.mails.by_id(mail)
    if known is None:
        raise TriageError(f"there is no mail {mail}; the number stands in its message.quarantined line")
    if known.folder != "quarantine":
        raise TriageError(f"mail {mail} is not in quarantine: it lies in {known.folder}")
    raw = raws.get(known.fingerprint)
    if raw is None:
        raise TriageError(f"mail {mail}: its bytes are no longer kept; move it from the quarantine folder to the inbox")
    box = next((one for one in loaded.config.mailbox if one.name == known.mailbox), loaded.config.mailbox[0])
    email, reading = reader(rules.pack, office.desk)(raw, known.received_at)
    if email.error:
        raise TriageError(f"mail {mail} still cannot be read: {email.error}")
    telling = Telling(datetime.now(UTC), {"message_id": email.message_id})
    with store.begin() as tx:
        folder = again(tx, known, email, reading, office, telling, assembly.trust(box))
    telling.say()
    store.close()
    click.echo(f"mail {mail}: handled, it goes to {folder}")
