"""What a rule pack may say: the regulations of a vendor as data.

A pack is a folder of TOML chapters (docs/rules.md shows each); `adapters/packs.py` reads it and reports every fault.
Here stand the permitted keys, their meaning and the values that follow when one is left out. Ids of services,
severities, deployments, languages and fields are the vendor's own words: the code knows none of them.

Texts for people are tables by language: `{en = "...", es = "..."}`.
"""

from __future__ import annotations

from datetime import date
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

Id = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if isinstance(value, int) else value),
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$"),
]


def _day(value: object) -> object:
    """A key of a table is a text, also where it is a date."""
    if not isinstance(value, str):
        return value
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise ValueError(f"should be a date, 2026-01-31 ({error})") from error


def _page(value: str) -> str:
    if value and not value.startswith(("https://", "http://")):
        raise ValueError("should be the address of a page, https://...")
    return value


DayOfYear = Annotated[date, BeforeValidator(_day)]
Page = Annotated[str, AfterValidator(_page)]  # "" for none
Confidence = Annotated[float, Field(ge=0, le=1)]
Texts = dict[str, str]  # language id -> words
NONE = "none"  # the service of a mail that falls under no row; in a list of scopes: nothing is out of scope
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Entry(BaseModel):
    """Anything in a pack. Unknown keys are refused; nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False)


class Clause(Entry):
    """One clause of the regulations: what it says in a line, and what carries it out."""

    id: Id
    text: str
    # What does what it says: "value <chapter>.<id or key>", "text <reply>", "words <signal>", "rule <word rule id>",
    # "check <name>" (a step of the program, CHECKS), or "people" where no program can.
    carriers: list[str] = Field(min_length=1)
    assumption: bool = False  # the regulations are silent: the vendor's own decision


# Behaviour of the program that carries a clause without any value in the pack.
CHECKS: dict[str, str] = {
    "sender": "who may ask is read from the partner file, and a forged address is refused",
    "subscription": "a plan with a subscription is refused after its last day",
    "end_users": "a stranger is sent to the partner, once in a while, and no ticket is opened",
    "mailbox": "tickets come from the mailbox of the support address",
    "language": "a reply is written in the language of the mail",
    "one_question": "several questions in one mail are told apart",
    "required": "information that is missing is asked for",
    "clock": "the response clock starts with the last mail of the partner or its technicians",
    "working_time": "response time is counted in working hours of the calendar",
    "answered": "an answer of a specialist stops the clock and closes the ticket preliminarily",
    "bounces": "an address to which mail cannot be delivered is marked and staff is told",
    "versions": "tickets and replies carry the version of the pack; a new one holds from its date",
}


class Holidays(Entry):
    country: str  # ISO 3166-1 alpha-2, as the package `holidays` knows it
    region: str = ""


class Calendar(Entry):
    """Working time: windows by weekday in one zone, less holidays."""

    id: Id
    zone: str
    # "HH:MM-HH:MM"; "24:00" is the end of the day; an end before its start is past midnight
    windows: dict[Day, list[str]]
    holidays: list[Holidays] = []
    days_off: list[date] = []
    days_on: dict[DayOfYear, list[str]] = {}  # single days with windows of their own
    clause: Id
    assumption: bool = False


class Deployment(Entry):
    """A way in which partners have the product (a plan)."""

    id: Id
    names: Texts
    column: Id  # of the service table
    subscription: bool = False  # support ends with `subscription_until` of the partner file
    calendar: Id
    clause: Id


class Severity(Entry):
    id: Id
    rank: int = Field(ge=1)  # 1 is the gravest
    names: Texts
    clause: Id


class Target(Entry):
    """A response time. The first entry that fits a request holds; an empty list fits all."""

    id: Id = ""  # for clauses and the log; unique in a pack
    deployments: list[Id] = []
    severities: list[Id] = []
    request_types: list[Id] = []
    services: list[Id] = []
    hours: float = Field(gt=0, le=2000)  # working hours of the calendar
    calendar: Id | None = None  # default: the deployment's
    guaranteed: bool  # when received in working time
    out_of_hours: bool = False  # guaranteed also when received outside working time, counted from the next opening
    clause: Id
    assumption: bool = False


class Cell(Entry):
    """What a cell of the service table means."""

    id: Id
    names: Texts  # as the table words it
    guaranteed: bool = True
    incidents: bool = True  # whether it says anything of faults too: a fault has its row of the severity table
    action: Literal["accept", "refuse"] = "accept"
    says: Texts = {}  # a paragraph of the reply; empty where there is nothing to say
    clause: Id


class Service(Entry):
    """A row of the service table."""

    id: Id
    names: Texts
    cells: dict[Id, Id]  # column -> cell
    notes: dict[Id, Texts] = {}  # column -> a footnote of the row, a paragraph of the reply there
    documentation: Page = ""
    clause: Id


class Scope(Entry):
    """What support does not do: a value of `out_of_scope`."""

    id: Id
    names: Texts
    service: Id = "none"  # the row that such a mail gets
    guaranteed: bool = False
    action: Literal["accept", "refuse"] = "accept"
    says: Texts  # where to turn to
    clause: Id


class RequestType(Entry):
    id: Id
    names: Texts
    severity: bool = False  # requests of this type have a severity
    guaranteed: bool = True
    action: Literal["accept", "refuse"] = "accept"
    says: Texts = {}  # a paragraph of the reply, as where to turn to; empty where there is nothing to say
    clause: Id | None = None


class RequiredField(Entry):
    """A kind of information that a request may need."""

    id: Id
    reader: Literal["description", "account", "asset", "element", "actions", "evidence", "forms"]
    # the reader "forms": the field is there when a [[form]] with signal "field.<id>" is found
    names: Texts
    asks: Texts  # the line that asks for it, with an example
    clause: Id


class Requirement(Entry):
    """Which fields a request must have. The first entry that fits holds; an empty list fits all."""

    id: Id
    request_types: list[Id] = []
    services: list[Id] = []
    severities: list[Id] = []
    deployments: list[Id] = []
    scopes: list[Id] = []  # "none": only what is in scope
    cells: list[Id] = []  # of the service table, for this row and deployment
    fields: list[Id]
    one_of: list[list[Id]] = []  # of each inner list one is enough
    asks: dict[Id, Texts] = {}  # field -> the line that asks for it here, in place of the field's own
    clause: Id
    assumption: bool = False


class Policy(Entry):
    """The numbers and choices behind the way of a ticket."""

    questions: Literal["ask", "split"] = "ask"  # several in one mail: ask for separate tickets, or split
    ask_at_most: int = Field(2, ge=0, le=1000)
    calendar: Id  # for days of waiting, warnings and digests
    remind_after_days: int = Field(3, ge=1, le=3650)  # working days that a ticket waits for its partner
    close_waiting_after_days: int = Field(10, ge=1, le=3650)
    close_answered_after_days: int = Field(10, ge=1, le=3650)
    close_refused_after_days: int = Field(10, ge=1, le=3650)
    stranger_pause_days: int = Field(30, ge=1, le=3650)
    warn_at: list[Annotated[float, Field(gt=0, lt=1)]] = [0.5, 0.75]  # shares of the response time
    digest_at: Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = (
        "05:30"  # local time of the calendar
    )
    reply_window_minutes: int = Field(60, ge=1, le=100000)  # for the limits on automatic replies that follow
    replies_per_address: int = Field(2500, ge=1)
    replies_per_ticket: int = Field(6, ge=1)
    strangers_per_domain: int = Field(100, ge=1)  # told to ask their partner: a robot may have any number of addresses
    same_text_at_most: int = Field(5, ge=1)  # a mail with the same subject and text again, counted per address
    robot_answer_seconds: int = Field(
        5, ge=0, le=3600
    )  # after several replies, an answer that comes sooner is a robot's
    fallback_severity: Id | None = None  # of an incident whose extent is not told
    fallback_deployment: Id | None = None  # of a partner whose deployment is not known


class Unsure(Entry):
    """Below which confidence (0 to 1) a reading is not acted upon, and what is done then."""

    kind: Confidence = 0.5
    questions: Confidence = 0.5  # below: treated as one question
    missing: Confidence = 0.5  # a field read as absent below this is not asked for
    out_of_scope: Confidence = 0.6  # below: not said to the partner
    service: Confidence = 0.35  # below: flagged "unsure" for staff
    request_type: Confidence = 0.5  # below: not refused for its kind
    severity: Confidence = 0.0


class WordRule(Entry):
    """Words that speak for something. `signal` is "<label>.<value>", as the readers ask for it."""

    id: Id
    signal: Id
    weight: float = 1.0  # may be negative: these words speak against it
    phrases: list[str] = Field(min_length=1)  # see core/reading/phrases.py
    unless: list[str] = []  # these words in the same sentence silence the rule
    where: Literal["any", "subject", "text"] = "any"
    clause: Id = "reading"


class Form(Entry):
    """Something recognised by its form: an identifier, a log line. A regular expression with bounded repeats."""

    id: Id
    signal: Id
    pattern: str
    weight: float = 1.0
    check: Literal["", "luhn"] = ""  # a check digit over the digits that matched
    needs: str = ""  # only a line with one of these characters is looked at: keeps a costly pattern off ordinary lines
    near: list[str] = []  # phrases, one of which must stand in the same line within `reach` words
    not_near: list[str] = []
    reach: int = Field(4, ge=1, le=12)
    ignore_case: bool = True
    clause: Id = "reading"


class Words(Entry):
    """A file of words/<language>/ (or words/any/)."""

    rule: list[WordRule] = []
    form: list[Form] = []


class Learned(Entry):
    """What was learned from example mails about one label: model/<label>.json, made by reading/train.py."""

    label: Id  # the label it speaks about: service, request_type, out_of_scope
    card: dict[str, Any]  # for people: what it was trained on, by what, with which figures
    rules: float = Field(gt=0)  # how much the weight of a word rule counts beside the learned weights
    start: dict[Id, float]  # value -> what speaks for it before a word is read
    weights: dict[Id, dict[str, float]]  # value -> word -> what it says for the value


class Manifest(Entry):
    """pack.toml"""

    name: Id
    title: str
    vendor: str
    version: str
    in_force: date  # the first day on which it holds
    # In which support is given and replies are written; the first is the default.
    languages: list[Id] = Field(min_length=1)
    language_names: Texts = {}
    # Words that say nothing of this vendor's own matters, taken from another pack: its folder name beside this one ->
    # names of its word files. Of these, words for labels that this pack does not have are left out.
    words_of: dict[Id, list[Id]] = {}
    # Packs beside this one, whose reply texts hold where this has none of its own; a later one before an earlier one.
    replies_of: list[Id] = []
    regulations: Page = ""  # where the regulations are published
    signature: Texts = {}


class Pack(Entry):
    """A rule pack, whole and checked."""

    manifest: Manifest
    policy: Policy
    unsure: Unsure = Unsure()
    clauses: list[Clause] = Field(min_length=1)
    calendars: list[Calendar] = Field(min_length=1)
    deployments: list[Deployment] = Field(min_length=1)
    severities: list[Severity] = Field(min_length=1)
    request_types: list[RequestType] = Field(min_length=1)
    targets: list[Target] = Field(min_length=1)
    cells: list[Cell] = Field(min_length=1)
    services: list[Service] = Field(min_length=1)
    scopes: list[Scope] = []
    fields: list[RequiredField] = []
    requirements: list[Requirement] = Field(min_length=1)
    words: dict[str, Words] = {}  # language id, or "any" -> all its files merged
    learned: dict[str, Learned] = {}  # label -> what was learned from example mails
    replies: dict[str, dict[str, str]] = {}  # language id -> template name -> Jinja2 source

    # Tables by id, made once.
    @cached_property
    def calendar_by_id(self) -> dict[str, Calendar]:
        return _by_id(self.calendars)

    @cached_property
    def deployment_by_id(self) -> dict[str, Deployment]:
        return _by_id(self.deployments)

    @cached_property
    def severity_by_id(self) -> dict[str, Severity]:
        return _by_id(self.severities)

    @cached_property
    def service_by_id(self) -> dict[str, Service]:
        return _by_id(self.services)

    @cached_property
    def cell_by_id(self) -> dict[str, Cell]:
        return _by_id(self.cells)

    @cached_property
    def scope_by_id(self) -> dict[str, Scope]:
        return _by_id(self.scopes)

    @cached_property
    def field_by_id(self) -> dict[str, RequiredField]:
        return _by_id(self.fields)

    @cached_property
    def request_type_by_id(self) -> dict[str, RequestType]:
        return _by_id(self.request_types)

    @cached_property
    def clause_by_id(self) -> dict[str, Clause]:
        return _by_id(self.clauses)

    def carried_by(self, carrier: str) -> str:
        """The first clause that this carries out, as in "check sender"; "" when none names it."""
        return next((clause.id for clause in self.clauses if carrier in clause.carriers), "")

    def cell(self, service: str, deployment: str | None, *, fault: bool = False) -> Cell | None:
        """What the service table says, of a fault or of anything else.

        None for a service without a row, an unknown deployment, or a cell that says nothing of faults.
        """
        row = self.service_by_id.get(service)
        plan = self.deployment_by_id.get(deployment or "")
        found = self.cell_by_id.get(row.cells.get(plan.column, "")) if row and plan else None
        return None if found and fault and not found.incidents else found

    def target(
        self, deployment: str | None, request_type: str | None, service: str | None, severity: str | None
    ) -> Target | None:
        """The response time of a request: the first entry that fits."""
        for entry in self.targets:
            if (
                _fits(entry.deployments, deployment)
                and _fits(entry.request_types, request_type)
                and _fits(entry.services, service)
                and _fits(entry.severities, severity)
            ):
                return entry
        return None

    def requirement(
        self,
        deployment: str | None,
        request_type: str | None,
        service: str | None,
        severity: str | None,
        scope: str | None = None,
    ) -> Requirement | None:
        """What a request must contain: the first entry that fits. `scope` is a value of `out_of_scope`."""
        cell = self.cell(service or NONE, deployment)
        for entry in self.requirements:
            if (
                _fits(entry.deployments, deployment)
                and _fits(entry.request_types, request_type)
                and _fits(entry.services, service or NONE)
                and _fits(entry.severities, severity)
                and _fits(entry.scopes, scope or NONE)
                and _fits(entry.cells, cell.id if cell else None)
            ):
                return entry
        return None


def _fits(permitted: list[str], value: str | None) -> bool:
    return not permitted or value in permitted


def _by_id(entries: list[Any]) -> dict[str, Any]:
    return {entry.id: entry for entry in entries}
