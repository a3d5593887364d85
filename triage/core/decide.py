"""What is done about one mail.

decide
 ├─ broken, machine-made        ignored or quarantined, never answered
 ├─ from staff                  nothing: steps/answers.py carries it out
 ├─ sender may not ask          refused: told why, or nothing where the address is forged
 ├─ nothing to do (thanks)      filed away
 └─ a partner's request         several questions? -> separate tickets are asked for
                                something missing? -> it is asked for, twice at most
                                the pack refuses the row? -> told so
                                otherwise a person answers, and the clock runs

Everything comes in as a value; what comes out says why, with the clause of the regulations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from triage.core import authenticity, clock, directory, grounds, lifecycle, threads
from triage.core.clock import Rules
from triage.core.model import NO_HISTORY, Clock, Decision, Email, Evidence, History, Reading, Reply, Sender
from triage.core.pack import Requirement
from triage.core.replies import Facts, write

MACHINE = ("auto_reply", "bounce", "list", "loop")
_SUPPRESSES_ACKNOWLEDGEMENT = {"autoreply", "all"}
_HASTE_NEEDS = 3  # replies in a ticket before a quick answer counts as a robot's: people answer at once too
ROBOT, UNREACHABLE = "looks-like-a-robot", "no-address-to-write-to"  # why somebody is not answered
_FLAGS = {ROBOT: "robot", UNREACHABLE: "unreachable"}


@dataclass(frozen=True, slots=True)
class Case:
    """One mail with all that is known about it."""

    email: Email
    reading: Reading
    sender: Sender
    history: History
    rules: Rules
    now: datetime

    @property
    def received(self) -> datetime:
        return self.email.received or self.now


def decide(
    email: Email,
    reading: Reading,
    sender: Sender,
    rules: Rules,
    now: datetime,
    history: History = NO_HISTORY,
) -> Decision:
    """The decision about a mail, with the reply that goes out. `now` is aware."""
    case = Case(email, reading, sender, history, rules, now)
    if email.error:
        return Decision("ignored", "quarantine", ("unreadable",), lifecycle.NOTHING)
    if reading.kind.value in MACHINE and reading.kind.confidence >= rules.pack.unsure.kind:
        return _machine(case)
    if sender.staff:
        return Decision("ignored", "ready", ("staff",), lifecycle.NOTHING)
    if sender.status != directory.AUTHORIZED and not _let_in(case):
        deployment = sender.contact.deployment if sender.contact else rules.pack.policy.fallback_deployment
        return replace(_refuse_sender(case), missing=missing(reading, rules, deployment))
    if reading.kind.value == "thanks":
        return _nothing_to_do(case, "thanks")
    if reading.kind.value == "empty" and history.ticket:
        return _nothing_to_do(case, "empty")
    if history.foreign_desk and history.ticket and history.ticket.state == lifecycle.OPEN:
        # The clock runs already: a person sees the mail, and an acknowledgement gives us no more time.
        return Decision(history.ticket.state, "ready", ("foreign-desk",), lifecycle.NOTHING, flags=("robot",),
                        evidence=reading.kind.evidence)  # fmt: skip
    return _request(case)


def missing(
    reading: Reading, rules: Rules, deployment: str | None, have: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """The required fields that neither this mail nor the ticket's earlier ones gave, by the pack's requirements."""
    entry = requirement(reading, rules, deployment)
    if entry is None:
        return ()
    absent = [name for name in entry.fields if _absent(reading, rules, name, have)]
    for group in entry.one_of:
        if all(_absent(reading, rules, name, have) for name in group):
            absent += [name for name in group if name not in absent]
    return tuple(absent)


def requirement(reading: Reading, rules: Rules, deployment: str | None) -> Requirement | None:
    """The first requirement of the pack that fits."""
    return rules.pack.requirement(
        deployment,
        reading.request_type.value,
        reading.service.value,
        reading.severity.value,
        reading.out_of_scope.value,
    )


def _machine(case: Case) -> Decision:
    """Filed away. A partner's mail that only sounds like a machine's, by what was learned, is seen by a person."""
    kind = case.reading.kind
    heard = bool(kind.evidence) and all(one.rule.startswith("learned.") for one in kind.evidence)
    seen = heard and case.sender.status == directory.AUTHORIZED and not case.sender.staff
    return Decision(
        "ignored",
        "ready" if seen else "ignored",
        (f"machine:{kind.value}",),
        lifecycle.NOTHING,
        evidence=kind.evidence,
    )


# ---------------------------------------------------------------- who may not ask


def _let_in(case: Case) -> bool:
    """Whether staff accepted this ticket although its partner's support has lapsed or is suspended."""
    ticket = case.history.ticket
    lapsed = case.sender.status in (directory.UNSUBSCRIBED, directory.SUSPENDED)
    return lapsed and ticket is not None and "accept" in ticket.settled


def _refuse_sender(case: Case) -> Decision:
    """Strangers are told to ask their partner, partners why they are refused; a forged address is told nothing."""
    sender, pack = case.sender, case.rules.pack
    evidence = (grounds.of_sender(pack, sender),)
    decision = Decision(
        lifecycle.REFUSED, "refused", (sender.reason or sender.status,), lifecycle.NOTHING, evidence=evidence
    )
    if not sender.address:
        return replace(decision, state="ignored", folder="quarantine")  # nobody to refuse: a person looks at it
    if sender.verified == authenticity.NO_VERDICT:
        return replace(decision, state="ignored", folder="quarantine")  # held: it may be genuine
    if sender.status == directory.UNAUTHENTICATED:
        return decision
    if sender.status == directory.UNKNOWN:
        told = case.history.stranger_told_at
        if told and (case.now - told).days < pack.policy.stranger_pause_days:
            return replace(decision, reasons=(*decision.reasons, "told-before"))
        silent = _unanswered(case)
        if silent or case.history.strangers_told >= pack.policy.strangers_per_domain:
            return replace(decision, reasons=(*decision.reasons, silent or ROBOT))
        return replace(decision, reply=_reply(case, "stranger", Facts()), stranger_told=True)
    flags = ("lapsed",) if sender.status == directory.UNSUBSCRIBED else ()
    deployment = sender.contact.deployment if sender.contact else None
    reply = None if _unanswered(case) else _reply(case, sender.status, Facts(deployment=deployment))
    return replace(
        decision, event=lifecycle.REFUSAL, flags=flags, reply=reply, deployment=deployment, language=_language(case)[0]
    )


# ---------------------------------------------------------------- a partner's mail


def _nothing_to_do(case: Case, reason: str) -> Decision:
    """A mere thanks: it neither reopens nor restarts anything."""
    ticket = case.history.ticket
    return Decision(
        ticket.state if ticket else "ignored",
        "ignored",
        (reason,),
        lifecycle.NOTHING,
        evidence=case.reading.kind.evidence,
    )


def _request(case: Case) -> Decision:
    reading, history, rules = case.reading, case.history, case.rules
    ticket = history.ticket
    deployment, choose = _deployment(case)
    have = ticket.fields if ticket else frozenset()
    absent = missing(reading, rules, deployment, have)
    several = _several(case)
    accepted = ticket is not None and "accept" in ticket.settled  # staff takes it as it is
    asked_enough = (ticket.asked if ticket else 0) >= rules.pack.policy.ask_at_most
    # Who cannot be asked must not wait for it: a person looks. But a desk that acknowledges our question answers none.
    acknowledged = history.foreign_desk and ticket is not None and ticket.state == lifecycle.AWAITING
    may_ask = not accepted and not asked_enough and (acknowledged or not _unanswered(case))
    request_type, severity = _gravity(case)
    known = have | {name for name in rules.pack.field_by_id if reading.has(name)}
    base = Decision(
        lifecycle.OPEN,
        "ready",
        ("complete",),
        lifecycle.REQUEST,
        missing=absent,
        evidence=_evidence(reading, absent, rules),
        flags=_flags(case),
        severity=severity,
        service=_kept(reading.service.value, ticket.service if ticket else None),
        request_type=request_type,
        out_of_scope=_scope(case),
        deployment=deployment,
        language=_language(case)[0],
        fields=frozenset(known),
    )
    refused = None if accepted else _refused_row(case, base)
    if refused:
        return refused
    split = several if rules.pack.policy.questions == "split" else ()
    if several and not split and may_ask:
        facts = Facts(questions=several, missing=absent)
        evidence = (*base.evidence, grounds.of_questions(rules.pack, len(several)))
        base = replace(base, deployment=None if choose else deployment, evidence=evidence)
        return _ask(case, base, "several", "several-questions", facts)
    if may_ask and "encrypted" in base.flags:
        return _ask(case, replace(base, deployment=None if choose else deployment), "incomplete", "encrypted", Facts())
    if (absent or choose) and may_ask:
        facts = Facts(missing=absent, choose_deployment=choose, one_of=_one_of(case, absent, deployment))
        return _ask(case, replace(base, deployment=None if choose else deployment), "incomplete", "incomplete", facts)
    flags, reasons = base.flags, base.reasons
    if not accepted and (absent or choose or (several and not split)):
        flags, reasons = (*flags, "incomplete"), ("asked-enough" if asked_enough else "incomplete",)
    return _accept(case, replace(base, flags=flags, reasons=reasons, split=split))


def _ask(case: Case, base: Decision, template: str, reason: str, facts: Facts) -> Decision:
    """Ask the partner; no clock runs until he writes again."""
    silent = _unanswered(case)
    reply = None if silent else _reply(case, template, _told(case, base, facts))
    flags = (*base.flags, _FLAGS[silent]) if silent else base.flags
    return replace(
        base,
        state=lifecycle.AWAITING,
        folder="waiting",
        reasons=(reason,),
        event=lifecycle.INCOMPLETE,
        reply=reply,
        flags=flags,
    )


def _accept(case: Case, base: Decision) -> Decision:
    """A person answers; the clock runs from this mail, and the partner is told until when."""
    running = clock.start(
        case.rules,
        _counts_from(case),
        base.deployment,
        base.severity,
        request_type=base.request_type,
        service=base.service,
        out_of_scope=base.out_of_scope,
    )
    facts = _told(case, base, _timed(Facts(questions=base.split), running, case.now))
    reasons, flags = base.reasons, base.flags
    reply: Reply | None = None
    if _suppressed(case.email):
        reasons = (*reasons, "acknowledgement-suppressed")
    elif silent := _unanswered(case):
        reasons, flags = (*reasons, silent), (*flags, _FLAGS[silent])
    else:
        reply = _reply(case, "split" if base.split else "accepted", facts)
    evidence = (*base.evidence, *grounds.of_clock(case.rules.pack, base, running))
    return replace(base, reasons=reasons, flags=flags, clock=running, reply=reply, evidence=evidence)


def _refused_row(case: Case, base: Decision) -> Decision | None:
    """A row of the service table, a scope or a kind of request that the pack refuses. Never on an unsure reading."""
    pack, reading = case.rules.pack, case.reading
    cell = pack.cell(base.service or "", base.deployment, fault=base.severity is not None)
    scope = pack.scope_by_id.get(base.out_of_scope or "")
    sure = reading.service.confidence >= pack.unsure.service
    reason, clause = "", ""
    kind = pack.request_type_by_id.get(base.request_type or "")
    if scope and scope.action == "refuse":
        reason, clause = f"out-of-scope:{scope.id}", scope.clause
    elif cell and cell.action == "refuse" and sure:
        reason, clause = f"service:{cell.id}", cell.clause
    elif kind and kind.action == "refuse" and reading.request_type.confidence >= pack.unsure.request_type:
        reason, clause = f"request-type:{kind.id}", kind.clause or ""
    if not reason:
        return None
    reply = None if _unanswered(case) else _reply(case, "refused", _told(case, base, Facts()))
    evidence = (*base.evidence, Evidence(reason, clause, base.service or ""))
    return replace(
        base,
        state=lifecycle.REFUSED,
        folder="refused",
        reasons=(reason,),
        event=lifecycle.REFUSAL,
        reply=reply,
        evidence=evidence,
    )


# ---------------------------------------------------------------- parts of a decision


def _deployment(case: Case) -> tuple[str | None, tuple[str, ...]]:
    """Which deployment the mail is about, and the choices when that cannot be told."""
    ticket, told = case.history.ticket, case.reading.deployment.value
    own = tuple(dict.fromkeys(contact.deployment for contact in case.sender.contacts))
    settled = ticket is not None and "deployment" in ticket.settled
    if told in own and not settled:
        return told, ()
    if ticket and ticket.deployment:
        return ticket.deployment, ()
    if len(own) > 1:
        return own[0], own
    return (own[0] if own else case.rules.pack.policy.fallback_deployment), ()


def _gravity(case: Case) -> tuple[str | None, str | None]:
    """Request type and severity. A ticket that began as an incident stays one while nobody has answered, and keeps
    its severity unless the partner's words name another; what staff settled stays in any case.
    """
    reading, ticket = case.reading, case.history.ticket
    if ticket is None:
        return reading.request_type.value, reading.severity.value
    if "severity" in ticket.settled:
        return ticket.request_type, ticket.severity
    if ticket.severity and ticket.state in (lifecycle.OPEN, lifecycle.AWAITING):
        said = reading.severity.value if reading.severity.evidence else None
        return ticket.request_type, said or ticket.severity
    request_type = _kept(reading.request_type.value, ticket.request_type, unknown="other")
    return request_type, reading.severity.value or (ticket.severity if request_type == ticket.request_type else None)


def _several(case: Case) -> tuple[str, ...]:
    """The questions, when there is surely more than one."""
    reading = case.reading
    sure = reading.questions_confidence >= case.rules.pack.unsure.questions
    return reading.questions if len(reading.questions) > 1 and sure else ()


def _scope(case: Case) -> str | None:
    label = case.reading.out_of_scope
    return label.value if label.value and label.confidence >= case.rules.pack.unsure.out_of_scope else None


def _flags(case: Case) -> tuple[str, ...]:
    reading, unsure = case.reading, case.rules.pack.unsure
    flags = []
    if reading.courtesy.value == "rude":
        flags.append("rude")
    if reading.service.value and reading.service.confidence < unsure.service:
        flags.append("unsure")
    if case.history.foreign_ticket:
        flags.append("names-a-foreign-ticket")
    if "encrypted" in case.email.defects and not case.email.text.strip():
        flags.append("encrypted")
    return tuple(flags)


def _absent(reading: Reading, rules: Rules, name: str, have: frozenset[str]) -> bool:
    if name in have:
        return False
    label = reading.fields.get(name)
    return label is None or (label.value != "true" and label.confidence >= rules.pack.unsure.missing)


def _one_of(case: Case, absent: tuple[str, ...], deployment: str | None) -> tuple[tuple[str, ...], ...]:
    entry = requirement(case.reading, case.rules, deployment)
    groups: list[tuple[str, ...]] = []
    offered: set[str] = set()  # what an earlier group offers already is not said twice
    for group in entry.one_of if entry else []:
        if all(name in absent for name in group):
            groups.append(tuple(name for name in group if name not in offered) or tuple(group))
            offered.update(group)
    return tuple(groups)


def _kept(read: str | None, before: str | None, unknown: str = "none") -> str | None:
    """What this mail says, or what the ticket knew when the mail says nothing."""
    return before if before and (not read or read == unknown) else read


def _evidence(reading: Reading, absent: tuple[str, ...], rules: Rules) -> tuple[Evidence, ...]:
    needed = tuple(
        Evidence(f"required.{name}", rules.pack.field_by_id[name].clause, "absent")
        for name in absent
        if name in rules.pack.field_by_id
    )
    return (*reading.evidence, *needed)


def _language(case: Case) -> tuple[str, ...]:
    """In which languages we answer: the mail's, else the contact's, else the ticket's, else all (decision 19)."""
    written = case.rules.pack.manifest.languages
    contact, ticket = case.sender.contact, case.history.ticket
    sure = case.reading.language.confidence >= 0.5
    options = (
        case.reading.language.value if sure else "",
        contact.language if contact else "",
        ticket.language if ticket else "",
        case.reading.language.value,
    )
    for option in options:
        if option in written:
            return (option,)
    return tuple(written)


def _reply(case: Case, template: str, facts: Facts) -> Reply:
    contact = case.sender.contact
    facts = replace(
        facts,
        to_name=case.sender.name,
        subject=threads.bare_subject(case.email.subject),
        zone=contact.timezone if contact else "",
        received=case.received,
    )
    languages = _language(case)
    if template == "stranger" and case.reading.language.confidence < 0.5:
        languages = tuple(case.rules.pack.manifest.languages)
    return write(case.rules, template, languages, case.sender.address, facts)


def _told(case: Case, base: Decision, facts: Facts) -> Facts:
    """The facts about the request that every reply to it may mention."""
    sure = case.reading.service.confidence >= case.rules.pack.unsure.service
    ticket = case.history.ticket
    return replace(
        facts,
        request_type=base.request_type,
        service=base.service if sure else None,
        severity=base.severity,
        deployment=base.deployment,
        out_of_scope=base.out_of_scope,
        flags=base.flags,
        again=bool(ticket),
        previous_ticket=case.history.closed_ticket,
    )


def _counts_from(case: Case) -> datetime:
    """When this mail was received; of one that is handled late, when the newer one was from which the clock counts."""
    ticket = case.history.ticket
    if ticket and ticket.state == lifecycle.OPEN and ticket.last_mail_at:
        return max(case.received, ticket.last_mail_at)
    return case.received


def _timed(facts: Facts, running: Clock, now: datetime) -> Facts:
    late = running.due <= now  # as after a standstill: nobody is promised a time that is over
    return replace(
        facts, due=running.due, hours=running.hours, guaranteed=running.guaranteed, reason=running.reason, late=late
    )


def _unanswered(case: Case) -> str:
    """Why the sender is not written to; "" when he is."""
    if not directory.writable(case.sender.address):
        return UNREACHABLE
    return ROBOT if _robot(case) else ""


def _robot(case: Case) -> bool:
    """The second line behind the header checks: too many, too fast, or always the same."""
    policy, history = case.rules.pack.policy, case.history
    # A second less than nothing: the mail server counts whole ones. Much less: it was written before our reply.
    fast = history.seconds_since_reply is not None and -1 <= history.seconds_since_reply < policy.robot_answer_seconds
    return (
        history.foreign_desk
        or history.replies_to_address >= policy.replies_per_address
        or history.replies_in_ticket >= policy.replies_per_ticket
        or history.same_text >= policy.same_text_at_most
        or (fast and history.replies_in_ticket >= _HASTE_NEEDS)
    )


def _suppressed(email: Email) -> bool:
    """Whether the sender's program asks for no acknowledgement (decision 26)."""
    named = {part.strip().lower() for part in email.header("x-auto-response-suppress").split(",")}
    return bool(named & _SUPPRESSES_ACKNOWLEDGEMENT)
