"""`triage requeue`: handle a quarantined or refused mail again, by the same rules."""

from __future__ import annotations

import click

from triage.cli import Context
from triage.core.errors import TriageError


@click.command()
@click.argument("mail", type=int)
@click.option("--vouch", is_flag=True, help="You know that the sender is genuine, whatever the mail server found.")
@click.pass_obj
def requeue(context: Context, mail: int, vouch: bool) -> None:
    """Handle a quarantined mail again, or one that was refused without a ticket; MAIL is the number in its
    `message.quarantined` or `sender.refused` line. It makes no double.

    The daemon moves it out of the folder where it lies with its next round.

    \b
    triage requeue 42
    triage requeue 42 --vouch
    """
    from dataclasses import replace
    from datetime import UTC, datetime

    from triage import assembly, events
    from triage.adapters.readers import Job, Readers
    from triage.core.model import Trust
    from triage.steps.again import again
    from triage.steps.telling import Telling

    loaded = context.loaded
    rules = context.rules
    target, limits = loaded.config.log.file, loaded.config.limits
    events.hide(*loaded.secrets)
    events.set_up(target if target == "-" else loaded.path(target), loaded.config.log.level)
    store, raws = assembly.store(loaded, upgrade=False), assembly.raws(loaded)
    office = assembly.office(loaded, rules)
    with store.look() as tx:
        known = tx.mails.by_id(mail)
    if known is None:
        raise TriageError(f"there is no mail {mail}; the number stands in its line of the log")
    if known.folder not in ("quarantine", "refused") or known.ticket is not None:
        where = f"it lies in {known.folder}" if known.ticket is None else "it belongs to a ticket"
        raise TriageError(f"mail {mail} is neither in quarantine nor refused without a ticket: {where}")
    raw = raws.get(known.fingerprint)
    if raw is None:
        mend = "move it from the quarantine folder to the inbox" if known.folder == "quarantine" else "ask for it again"
        raise TriageError(f"mail {mail}: its bytes are no longer kept; {mend}")
    box = next((one for one in loaded.config.mailbox if one.name == known.mailbox), loaded.config.mailbox[0])
    trust = assembly.trust(box)
    # In a process of its own: it may be here because it took too long.
    readers = Readers(rules.pack, replace(office.desk, trust=trust), 1, limits.seconds_per_mail)
    try:
        (done,) = readers.read([Job(mail, raw, known.received_at)])
    finally:
        readers.close()
    if done.email is None or done.reading is None or done.email.error:
        why = done.failure or (done.email and done.email.error)
        raise TriageError(f"mail {mail} still cannot be read: {why}")
    telling = Telling(datetime.now(UTC), {"message_id": done.email.message_id})
    if vouch:
        telling.keys["vouched"] = True
    with store.begin() as tx:
        folder = again(tx, known, done.email, done.reading, office, telling, Trust() if vouch else trust)
    telling.say()
    store.close()
    click.echo(f"mail {mail}: handled, it goes to {folder}")
