"""Examples of a rule pack: a mail `examples/<name>.eml` and beside it `<name>.toml`, what must be decided on it.

    received = 2026-03-04T08:00:00Z            # when the mail came in; that is also "now"
    sender = { deployment = "paas" }           # an authorized partner, unless `status` says otherwise

    [expect]                                   # in the words of the triage guide; what is left out may be anything
    request_type = "incident"
    severity = "3"
    missing = ["asset"]
    state = "awaiting_partner"
    reply_contains = ["IMEI"]

`run` holds it against what a judge says, which is the object of `triage explain --json`; `judge` makes the real one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from triage.adapters.holidays import holiday_dates
from triage.adapters.mime import parse
from triage.adapters.toml_entries import Place, check_entry, nearest, read_toml
from triage.core.clock import make_rules
from triage.core.decide import decide
from triage.core.directory import SUSPENDED, UNAUTHENTICATED, UNKNOWN
from triage.core.errors import Fault
from triage.core.explained import explained
from triage.core.model import Contact, Desk, Email, Sender
from triage.core.pack import NONE, Entry, Id, Pack

FOLDER = "examples"
_DEFAULT_TIME = datetime(2026, 3, 4, 8, 0, tzinfo=UTC)  # a Wednesday morning
_NULL = "null"  # TOML has no null: how an example says that a label has no value


class Given(Entry):
    """Who wrote the mail, as the partner file would say."""

    status: Literal["authorized", "unknown", "unauthenticated", "suspended", "unsubscribed"] = "authorized"
    deployment: Id | None = None  # default: the pack's first
    partner: str = "Example Partner"
    role: Literal["partner", "technician"] = "partner"
    language: str = ""
    timezone: str = ""


class Expected(Entry):
    """What must be decided. `None` is "not said here"; "null" is "no value"."""

    kind: Literal["request", "follow_up", "thanks", "auto_reply", "bounce", "list", "loop", "empty"] | None = None
    language: str | None = None
    text: str | None = None
    questions: int | None = None
    request_type: str | None = None
    service: str | None = None
    out_of_scope: str | None = None
    severity: Id | None = None
    courtesy: Literal["ok", "rude"] | None = None
    fields: dict[str, bool] = Field(default_factory=dict)
    missing: list[str] | None = None  # exactly these
    state: Literal["open", "awaiting_partner", "refused", "ignored"] | None = None
    reasons: list[str] = Field(default_factory=list)  # these among others
    due: datetime | None = None
    guaranteed: bool | None = None
    clauses: list[str] = Field(default_factory=list)  # these among the evidence
    reply: bool | None = None  # whether one goes out
    reply_language: str | None = None
    reply_contains: list[str] = Field(default_factory=list)
    reply_lacks: list[str] = Field(default_factory=list)


class Example(Entry):
    about: str = ""  # for people
    received: datetime = _DEFAULT_TIME
    sender: Given = Given()
    expect: Expected


@dataclass(frozen=True, slots=True)
class Case:
    """One example, ready to be judged."""

    name: str
    raw: bytes
    example: Example


Judge = Callable[[Case], Mapping[str, Any]]
DESK = Desk(("support@vendor.example",))  # our own address in examples


def judge(pack: Pack) -> Judge:
    """What the program decides on an example: `now` is when the mail came in, the sender is as the example says."""
    from triage.core.reading.read import read as understand  # the readers are loaded only by who needs them

    rules = make_rules(pack, holiday_dates)

    def of(case: Case) -> Mapping[str, Any]:
        email = parse(case.raw, case.example.received)
        sender = _sender(pack, email, case.example.sender)
        reading = understand(email, pack, DESK)
        return explained(
            case.name, email, reading, sender, decide(email, reading, sender, rules, case.example.received)
        )

    return of


def _sender(pack: Pack, email: Email, given: Given) -> Sender:
    """The sender, as if the partner file said so."""
    address, name = (email.from_[0].address, email.from_[0].name) if email.from_ else ("", "")
    if given.status in (UNKNOWN, UNAUTHENTICATED):
        return Sender(
            address, name, given.status, verified="forged" if given.status == UNAUTHENTICATED else "unchecked"
        )
    contact = Contact(
        partner=given.partner,
        deployment=given.deployment or pack.deployments[0].id,
        address=address,
        role=given.role,
        language=given.language,
        timezone=given.timezone,
        status=SUSPENDED if given.status == SUSPENDED else "active",
    )
    return Sender(address, name, given.status, given.partner, (contact,))


def read(pack: Pack, folder: Path) -> tuple[list[Case], list[Fault]]:
    """The examples in the folder of a pack, and what is wrong with how they are written."""
    cases: list[Case] = []
    faults: list[Fault] = []
    place = folder / FOLDER
    mails = {path.stem for path in place.glob("*.eml")}
    for path in sorted(place.glob("*.toml")):
        shown = f"{folder.name}/{FOLDER}/{path.name}"
        if path.stem not in mails:
            faults.append(Fault(shown, "", f"has no mail beside it; add {path.stem}.eml"))
            continue
        raw, _, unreadable = read_toml(path, shown)
        faults += unreadable
        if unreadable:
            continue
        example = check_entry(Example, raw, Place(shown, ""), faults)
        if example is None:
            continue
        unknown = list(_unknown(pack, example, shown))
        faults += unknown
        if not unknown:
            cases.append(Case(path.stem, path.with_suffix(".eml").read_bytes(), example))
    for stem in sorted(mails - {path.stem for path in place.glob("*.toml")}):
        faults.append(Fault(f"{folder.name}/{FOLDER}/{stem}.eml", "", f"has no expectation; add {stem}.toml"))
    return cases, faults


def run(pack: Pack, folder: Path, judge: Judge) -> tuple[int, list[Fault]]:
    """How many examples there are, and every fault: in how they are written, or in what is decided on them."""
    cases, faults = read(pack, folder)
    for case in cases:
        shown = f"{folder.name}/{FOLDER}/{case.name}.toml"
        for key, expected, found in differences(case.example.expect, judge(case)):
            faults.append(Fault(shown, key, f"expected {expected}, found {found}"))
    return len(cases), faults


def differences(expect: Expected, said: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(key, expected, found) wherever an explanation is not what an example expects."""
    decision: Mapping[str, Any] = said.get("decision") or {}
    reply: Mapping[str, Any] = said.get("reply") or {}
    for key in ("kind", "language", "text", "request_type", "service", "out_of_scope", "severity", "courtesy"):
        expected, found = getattr(expect, key), said.get(key)
        if expected is not None and expected != (_NULL if found is None else str(found)):
            yield key, repr(expected), repr(found)
    if expect.questions is not None and expect.questions != len(said.get("questions", ())):
        yield "questions", str(expect.questions), f"{len(said.get('questions', ()))}: {said.get('questions')}"
    for name, value in expect.fields.items():
        found = (said.get("fields") or {}).get(name)
        if found != value:
            yield f"fields.{name}", str(value).lower(), str(found).lower()
    if expect.missing is not None and set(expect.missing) != set(said.get("missing", ())):
        yield "missing", _list(expect.missing), _list(said.get("missing", ()))
    if expect.state is not None and expect.state != decision.get("state"):
        yield "state", repr(expect.state), f"{decision.get('state')!r} ({_list(decision.get('reasons', ()))})"
    for reason in expect.reasons:
        if reason not in decision.get("reasons", ()):
            yield "reasons", repr(reason), _list(decision.get("reasons", ()))
    if expect.due is not None and expect.due != _time(decision.get("due")):
        yield "due", expect.due.isoformat(), str(decision.get("due"))
    if expect.guaranteed is not None and expect.guaranteed != decision.get("guaranteed"):
        yield "guaranteed", str(expect.guaranteed).lower(), str(decision.get("guaranteed")).lower()
    clauses = {one.get("clause") for one in said.get("evidence", ())}
    for clause in expect.clauses:
        if clause not in clauses:
            yield "clauses", repr(clause), _list(sorted(filter(None, clauses)))
    yield from _reply_differences(expect, reply)


def _reply_differences(expect: Expected, reply: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if expect.reply is not None and expect.reply != bool(reply):
        yield "reply", "a reply" if expect.reply else "none", f"{reply.get('subject')!r}" if reply else "none"
    if expect.reply_language is not None and expect.reply_language != reply.get("language"):
        yield "reply_language", repr(expect.reply_language), repr(reply.get("language"))
    words = " ".join(f"{reply.get('subject', '')} {reply.get('text', '')}".split())
    for text in expect.reply_contains:
        if " ".join(text.split()) not in words:
            yield "reply_contains", repr(text), repr(words[:300]) if words else "no reply"
    for text in expect.reply_lacks:
        if " ".join(text.split()) in words:
            yield "reply_lacks", f"a reply without {text!r}", "it is there"


def _unknown(pack: Pack, example: Example, shown: str) -> Iterator[Fault]:
    """Names in an example that the pack does not know."""
    expect = example.expect
    languages = {*pack.manifest.languages, "other"}
    reply_languages = {*pack.manifest.languages, "+".join(pack.manifest.languages)}
    named: list[tuple[str, str | None, set[str]]] = [
        ("sender.deployment", example.sender.deployment, set(pack.deployment_by_id)),
        ("expect.language", expect.language, languages),
        ("expect.request_type", expect.request_type, set(pack.request_type_by_id)),
        ("expect.service", expect.service, {*pack.service_by_id, NONE}),
        ("expect.out_of_scope", expect.out_of_scope, {*pack.scope_by_id, _NULL}),
        ("expect.severity", expect.severity, {*pack.severity_by_id, _NULL}),
        ("expect.reply_language", expect.reply_language, reply_languages),
        *(("expect.fields", name, set(pack.field_by_id)) for name in expect.fields),
        *(("expect.missing", name, set(pack.field_by_id)) for name in expect.missing or ()),
        *(("expect.clauses", name, set(pack.clause_by_id)) for name in expect.clauses),
    ]
    for key, value, known in named:
        if value is not None and value not in known:
            yield Fault(shown, key, f"{value!r} is unknown; {nearest(value, known)}")
    for key, time in (("received", example.received), ("expect.due", expect.due)):
        if time is not None and time.tzinfo is None:
            yield Fault(shown, key, "has no time zone; write it with Z or an offset, 2026-03-04T08:00:00Z")


def _time(value: Any) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else None


def _list(values: Any) -> str:
    return ", ".join(map(str, values)) or "none"
