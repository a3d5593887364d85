"""A quarantined or refused mail handled again: by the same rules as any, in the place of its first handling."""

from __future__ import annotations

from triage.adapters.db.mails import KnownMail
from triage.adapters.db.store import Transaction
from triage.core.errors import Conflict
from triage.core.model import Email, Reading, Trust
from triage.steps.apply import Place
from triage.steps.intake import handle
from triage.steps.office import Office
from triage.steps.telling import Telling


def again(
    tx: Transaction,
    known: KnownMail,
    email: Email,
    reading: Reading,
    office: Office,
    telling: Telling,
    trust: Trust,
) -> str:
    """Forget what was done about the mail, handle it. Returns its folder; the daemon moves it there.

    The place on the server is that of the first handling. It lies in the folder of that handling now, so the
    mailbox's next round finds it by its Message-ID. Raises Conflict when somebody else handled it meanwhile.
    """
    if not tx.mails.remove(known.id, folder=known.folder):
        raise Conflict(f"mail {known.id} was handled by somebody else at this moment")
    mail, folder = handle(
        tx, email, reading, office, telling, Place(known.mailbox, known.uidvalidity, known.uid), trust
    )
    tx.mails.change(mail, filed_at=telling.now, released_from=known.folder)
    return folder
