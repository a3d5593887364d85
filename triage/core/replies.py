"""The words of our replies: templates of the pack, filled with facts.

A template is `replies/<language>/<name>.txt`: a line `Subject: ...`, a blank line, the text (Jinja2). It runs in a
sandbox; what a mail said is only ever a value in it, free of control characters. The HTML alternative is made from the
finished text (core/reply_html.py), so that the two never say different things.

The ticket's number is not known before the ticket is stored: `TICKET` stands for it until `numbered` fills it in.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import StrictUndefined, Template, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from triage.core.clock import Rules
from triage.core.errors import ConfigError, Fault
from triage.core.model import Reply
from triage.core.pack import Pack, Texts
from triage.core.reply_html import to_html
from triage.core.text import one_line

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
    late: bool = False  # that time is over already: the mail was taken up late, and nothing can be promised any more
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


# Every template that a pack must have, in each of its languages; those for staff only in the first.
TO_PARTNERS = (
    "accepted",
    "incomplete",
    "several",
    "split",
    "refused",
    "stranger",
    "unsubscribed",
    "suspended",
    "reminder",
    "closed_waiting",
)
TO_STAFF = ("staff_command", "staff_notices", "staff_morning", "staff_alarm")
MOMENT = "moment"  # how a time is written: a template without a subject

_BETWEEN_LANGUAGES = "\n\n" + "-" * 40 + "\n\n"
_LONGEST_QUESTION = 400
_LONGEST_TEXT = 100_000  # characters of a reply; more is a mistake in its template
_NAME = re.compile(r"[^\W\d_]+(?:[ .'’-]{1,2}[^\W\d_]+){0,3}\.?")
_UNFILLABLE = (TemplateError, ConfigError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError)
_MOMENT_KEYS = ("weekday", "day", "month", "year", "hour", "minute")
_ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=False, autoescape=False
)


def write(rules: Rules, template: str, languages: Sequence[str], to: str, facts: Facts) -> Reply:
    """A reply in one language, or in several below each other. Raises ConfigError when the pack lacks the text."""
    parts = [_rendered(rules.pack, template, language, facts) for language in languages]
    text = _BETWEEN_LANGUAGES.join(body for _, body in parts) + "\n"
    return Reply(to, one_line(parts[0][0], 250, keep=TICKET), text, to_html(text), "+".join(languages), template)


def check_templates(pack: Pack, *, fill: bool = True) -> list[Fault]:
    """Every fault in the texts of a pack: missing, not valid, an unknown variable, empty when it goes out.

    `fill=False` for a pack with broken entries: its texts are read, but not filled in.
    """
    faults: list[Fault] = []
    first = pack.manifest.languages[0]
    known = variables(pack)
    samples = tuple(_samples(pack)) if fill else ()
    for language in pack.manifest.languages:
        texts = pack.replies.get(language, {})
        moment = list(_template_faults(pack, language, MOMENT, f"replies/{language}/{MOMENT}.txt")) if texts else []
        sound = _without_moment(pack, language) if moment else pack
        contexts = [_context(sound, language, facts) for facts in samples]
        faults += moment
        wanted = (*TO_PARTNERS, *(TO_STAFF if language == first else ()))
        for name in wanted:
            file = f"replies/{language}/{name}.txt"
            faults += _template_faults(pack, language, name, file, known, contexts)
        names = (*TO_PARTNERS, *TO_STAFF, MOMENT)
        for name in sorted(set(texts) - set(names)):
            close = difflib.get_close_matches(name, names, 1)
            hint = f"did you mean {close[0]!r}?" if close else "known are " + ", ".join(names)
            faults.append(Fault(f"replies/{language}/{name}.txt", "", f"no reply has this name; {hint}"))
    return faults


def variables(pack: Pack) -> set[str]:
    """What a text may name."""
    return set(_context(pack, pack.manifest.languages[0], Facts()))


def _without_moment(pack: Pack, language: str) -> Pack:
    """The pack with its way of writing times left out in this language, for it is broken."""
    texts = {name: source for name, source in pack.replies[language].items() if name != MOMENT}
    return pack.model_copy(update={"replies": {**pack.replies, language: texts}})


def _template_faults(
    pack: Pack,
    language: str,
    name: str,
    file: str,
    known: Iterable[str] = _MOMENT_KEYS,
    contexts: Sequence[Mapping[str, Any]] = (),
) -> Iterator[Fault]:
    source = pack.replies.get(language, {}).get(name)
    if source is None:
        yield Fault(file, "", "is missing: every reply needs a text in each language of the pack")
        return
    try:
        unknown = meta.find_undeclared_variables(_ENVIRONMENT.parse(source)) - set(known)
    except TemplateError as error:
        yield Fault(file, f"line {getattr(error, 'lineno', 1)}", str(error.message))
        return
    for one in sorted(unknown):
        line = source[: source.find(one)].count("\n") + 1
        close = difflib.get_close_matches(one, sorted(known), 1)
        hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(sorted(known))}"
        yield Fault(file, f"line {line}", f"unknown variable {one!r}; {hint}")
    if unknown:
        return
    if name == MOMENT:
        try:
            written = [
                _moment(pack, language, datetime(2026, month, 2 * month, 8, tzinfo=UTC)) for month in range(1, 13)
            ]
        except _UNFILLABLE as error:
            yield Fault(file, "", f"cannot be filled in: {error}")
            return
        if not all(written):
            yield Fault(file, "", "would be empty")
        return
    if not source.startswith("Subject:"):
        yield Fault(file, "line 1", "must be 'Subject: ...', then a blank line, then the text")
        return
    for context in contexts:
        try:
            subject, body = _filled(source, context)
        except _UNFILLABLE as error:
            yield Fault(file, "", f"cannot be filled in: {error}")
            return
        if len(body) > _LONGEST_TEXT:
            yield Fault(file, "", f"would be longer than {_LONGEST_TEXT:,} characters")
            return
        if not subject.strip() or not body.strip():
            yield Fault(file, "", "would go out empty")
            return


def _samples(pack: Pack) -> Iterator[Facts]:
    """Facts of all sorts, with which every text must have something to say."""
    at = datetime(2026, 1, 31, 8, tzinfo=UTC)
    every_field = tuple(pack.field_by_id)
    row: dict[str, Any] = {"kind": "breach", "at": at, "number": "1001", "partner": "Acme", "subject": "x", "due": at}
    row |= {"severity": "1", "to": "", "reason": "", "domain": "", "mail": None}
    table = {"number": "1001", "partner": "Acme", "subject": "x", "due_at": at, "severity": None, "last_mail_at": at}
    extra = {
        "done": ["x"], "notices": [row], "open": [table], "today": [table], "overdue": [table], "waiting": [table],
        "counts": {"open": 1, "today": 1, "overdue": 1, "awaiting": 1, "waiting": 1},
        "name": "mailbox", "since": at, "reason": "x", "over": False,
    }  # fmt: skip
    yield Facts(extra=extra)
    for service in pack.services[:3]:
        for deployment in pack.deployments:
            yield Facts(
                to_name="Ana", subject="x", zone="Europe/Madrid", received=at, due=at, hours=8, guaranteed=True,
                request_type=pack.request_types[0].id, service=service.id, severity=pack.severities[0].id,
                deployment=deployment.id, missing=every_field, questions=("a", "b"),
                choose_deployment=tuple(pack.deployment_by_id), extra=extra,
            )  # fmt: skip
    yield Facts(due=at, hours=8, guaranteed=True, late=True, extra=extra)
    for scope in pack.scopes:
        yield Facts(due=at, guaranteed=False, reason="out-of-scope", out_of_scope=scope.id, again=True, extra=extra)


def _rendered(pack: Pack, template: str, language: str, facts: Facts) -> tuple[str, str]:
    """Subject and text of a template."""
    source = pack.replies.get(language, {}).get(template)
    if source is None:
        raise ConfigError(f"pack {pack.manifest.name}: replies/{language}/{template}.txt is missing")
    return _filled(source, _context(pack, language, facts))


def _filled(source: str, context: Mapping[str, Any]) -> tuple[str, str]:
    """Subject and text."""
    whole = _compiled(source).render(context)
    head, _, body = whole.partition("\n")
    lines = [line.rstrip() for line in body.strip().split("\n")]
    return head.removeprefix("Subject:").strip(), re.sub(r"\n{3,}", "\n\n", "\n".join(lines))


@lru_cache(maxsize=500)
def _compiled(source: str) -> Template:
    return _ENVIRONMENT.from_string(source)


def _context(pack: Pack, language: str, facts: Facts) -> Mapping[str, Any]:
    """Everything that a template may name."""
    manifest = pack.manifest
    service = pack.service_by_id.get(facts.service or "")
    severity = pack.severity_by_id.get(facts.severity or "")
    deployment = pack.deployment_by_id.get(facts.deployment or "")
    scope = pack.scope_by_id.get(facts.out_of_scope or "")
    fault = facts.severity is not None
    cell = pack.cell(facts.service, facts.deployment, fault=fault) if facts.service and not scope else None
    grouped = {name for group in facts.one_of for name in group}
    asks = _asks(pack, facts)
    return {
        "vendor": manifest.vendor,
        "regulations": manifest.regulations,
        "signature": _in(manifest.signature, language) or manifest.vendor,
        "ticket": TICKET,
        "tickets": TICKET * 2,  # all numbers of a mail that was split
        "name": _greeting_name(facts.to_name),
        "subject": one_line(facts.subject, 200),
        "service": _in(service.names, language) if service else "",
        "severity": _in(severity.names, language) if severity else "",
        "deployment": _in(deployment.names, language) if deployment else "",
        "request_type": facts.request_type or "",
        "incident": bool(severity),
        "documentation": service.documentation if service else "",
        "says": _says(pack, language, facts),
        "cell": _in(cell.names, language) if cell and cell.says else "",
        "scope": _in(scope.names, language) if scope else "",
        "due": _time(pack, language, facts.due, facts.zone) if facts.due else "",
        "hours": f"{facts.hours:g}" if facts.hours is not None else "",
        "guaranteed": bool(facts.guaranteed),
        "reason": facts.reason,
        "late": facts.late,
        "missing": [_in(texts, language) for name, texts in asks.items() if name not in grouped],
        "one_of": [[_in(asks[name], language) for name in group if name in asks] for group in facts.one_of],
        "questions": [one_line(question, _LONGEST_QUESTION) for question in facts.questions],
        "choices": [
            _in(pack.deployment_by_id[one].names, language)
            for one in facts.choose_deployment
            if one in pack.deployment_by_id
        ],
        "again": facts.again,
        "rude": "rude" in facts.flags,
        "incomplete": "incomplete" in facts.flags,
        "encrypted": "encrypted" in facts.flags,  # nothing of it could be read
        "previous_ticket": facts.previous_ticket,
        "more": _plain(facts.extra, _desk_zone(pack)),  # for staff's mails
    }


def _asks(pack: Pack, facts: Facts) -> dict[str, Texts]:
    """The line that asks for each missing field: the requirement's own words for it, else the field's."""
    entry = pack.requirement(facts.deployment, facts.request_type, facts.service, facts.severity, facts.out_of_scope)
    own = entry.asks if entry else {}
    return {name: own.get(name, pack.field_by_id[name].asks) for name in facts.missing if name in pack.field_by_id}


def _says(pack: Pack, language: str, facts: Facts) -> list[str]:
    """What the regulations say of this scope; or of this cell of the service table, its footnote, this sort of mail."""
    scope = pack.scope_by_id.get(facts.out_of_scope or "")
    fault = facts.severity is not None
    cell = pack.cell(facts.service, facts.deployment, fault=fault) if facts.service else None
    texts = [scope.says] if scope else [cell.says] if cell else []
    row, plan = pack.service_by_id.get(facts.service or ""), pack.deployment_by_id.get(facts.deployment or "")
    if row and plan and not scope:
        texts.append(row.notes.get(plan.column, {}))
    kind = pack.request_type_by_id.get(facts.request_type or "")
    if kind and not scope:
        texts.append(kind.says)
    return [said for one in texts if (said := _in(one, language))]


def _time(pack: Pack, language: str, at: datetime, zone: str) -> str:
    """A time in the partner's zone and in UTC."""
    utc = _moment(pack, language, at.astimezone(UTC)) + " UTC"
    if not zone or zone == "UTC":
        return utc
    city = _city(zone)
    local = at.astimezone(ZoneInfo(zone))
    same_day = local.date() == at.astimezone(UTC).date()
    shown = f"{at.astimezone(UTC):%H:%M} UTC" if same_day else utc
    return f"{_moment(pack, language, local)} ({city}) = {shown}"


def _city(zone: str) -> str:
    """Europe/Madrid -> Madrid"""
    return zone.rpartition("/")[2].replace("_", " ")


def _moment(pack: Pack, language: str, at: datetime) -> str:
    source = pack.replies.get(language, {}).get(MOMENT)
    if source is None:
        return f"{at:%Y-%m-%d %H:%M}"
    values = {
        "weekday": at.weekday(), "day": at.day, "month": at.month, "year": at.year,
        "hour": at.hour, "minute": at.minute,
    }  # fmt: skip
    return " ".join(_compiled(source).render(values).split())


def _greeting_name(name: str) -> str:
    """The name to greet with: only when it looks like one."""
    name = one_line(name, 60)
    return name if _NAME.fullmatch(name) else ""


def _in(texts: Texts, language: str) -> str:
    return texts.get(language, "")


def _desk_zone(pack: Pack) -> str:
    """Where the desk works: the zone of the calendar of reminders and digests."""
    policy = pack.policy  # one that is broken is none: its pack's texts are looked at all the same
    calendar = pack.calendar_by_id.get(policy.calendar) if policy else None
    return calendar.zone if calendar else "UTC"


def _plain(value: Any, zone: str) -> Any:
    """Values for staff's mails: words of others on one line, times as text, as clocks show them where the desk is."""
    if isinstance(value, Mapping):
        return {key: _plain(inner, zone) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, zone) for inner in value]
    if isinstance(value, datetime) and zone != "UTC":
        return f"{value.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} ({_city(zone)})"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return one_line(value, 300) if isinstance(value, str) else value
