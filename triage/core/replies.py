"""The words of our replies: templates of the pack, filled with facts.

What a mail said is only ever a value in a template, on one line and quoted; the templates run in a sandbox.
The ticket's number is not known before the ticket is stored: `TICKET` stands for it until `numbered` fills it in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from triage.core.clock import Rules
from triage.core.model import Reply

TICKET = "\N{OBJECT REPLACEMENT CHARACTER}"  # never in a mail's words: `plain` removes it


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that a reply may speak of. Ids are the pack's; the templates get their words in the language."""

    to_name: str = ""
    subject: str = ""
    zone: str = ""  # IANA zone of the partner; "" when not known
    received: datetime | None = None
    due: datetime | None = None
    hours: float | None = None
    guaranteed: bool | None = None
    reason: str = ""  # why not guaranteed (core/clock.py)
    request_type: str | None = None
    service: str | None = None
    severity: str | None = None
    deployment: str | None = None
    out_of_scope: str | None = None
    missing: tuple[str, ...] = ()  # field ids
    one_of: tuple[tuple[str, ...], ...] = ()  # groups of field ids of which one is enough
    questions: tuple[str, ...] = ()
    choose_deployment: tuple[str, ...] = ()  # deployment ids the partner has, when the mail does not tell which
    again: bool = False  # an earlier mail of the ticket was answered already
    flags: tuple[str, ...] = ()
    previous_ticket: str = ""  # the closed ticket that this one continues
    tickets: tuple[str, ...] = ()  # numbers of split tickets
    extra: dict[str, object] = field(default_factory=dict)  # for staff's mails: rows of a digest and the like


def numbered(reply: Reply, *numbers: str) -> Reply:
    """The reply with its ticket number (several when it was split) in the place of `TICKET`."""
    first, every = numbers[0], ", ".join(f"#{number}" for number in numbers)
    plural = TICKET * 2
    return replace(
        reply,
        subject=reply.subject.replace(plural, every).replace(TICKET, first),
        text=reply.text.replace(plural, every).replace(TICKET, first),
        html=reply.html.replace(plural, every).replace(TICKET, first),
    )


def write(rules: Rules, template: str, languages: Sequence[str], to: str, facts: Facts) -> Reply:
    """A reply in one language, or in several below each other."""
    text = "\n\n".join(f"[{TICKET}] {template} {language} {facts}" for language in languages)
    return Reply(to, f"[#{TICKET}] {facts.subject}", text, "", "+".join(languages), template)
