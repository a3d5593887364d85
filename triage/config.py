"""The configuration: every key with its type, default and reason. Read once, at the start.

From a TOML file, then from the environment (`TRIAGE_SECTION__KEY`), which wins. Every secret can stand in a file of
its own (`password_file`, `url_file`). Relative paths start at the configuration file. All faults are told at once.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from triage.core.errors import ConfigError

ENVIRONMENT = "TRIAGE_"
# What can stand in a file of its own; the URL of a database may hold a password.
_SECRETS = {"mailbox": "password", "smtp": "password", "database": "url"}
_SEE_EXAMPLE = "config.example.toml shows them all"
Tls = Literal["implicit", "starttls", "none"]


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("give the offset too, as in 2026-01-31T08:00:00Z")
    return value.astimezone(UTC)


def _mailbox_or_domain(value: str) -> str:
    value = value.strip().lower()
    local, at, domain = value.rpartition("@")
    if not at or not domain or " " in value or "@" in local:
        raise ValueError(f"{value!r} is neither a mailbox (ana@vendor.example) nor a domain (@vendor.example)")
    return value


def _mailbox(value: str) -> str:
    value = value.strip()
    if value and not _MAILBOX.fullmatch(value):
        raise ValueError(f"{value!r} is not a mailbox, such as support@vendor.example")
    return value


_MAILBOX = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,10}")
MailboxOrDomain = Annotated[str, AfterValidator(_mailbox_or_domain)]
OneMailbox = Annotated[str, AfterValidator(_mailbox)]
AwareTime = Annotated[datetime, AfterValidator(_aware)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Folders(Section):
    """Where handled mail is filed. Created when absent."""

    ready: str = "ready"
    waiting: str = "waiting"
    refused: str = "refused"
    ignored: str = "ignored"
    quarantine: str = "quarantine"


class Mailbox(Section):
    """A support mailbox, read over IMAP."""

    host: str = ""
    port: int = Field(0, ge=0, le=65535)  # 0: 993 for implicit TLS, else 143
    tls: Tls = "implicit"
    ca_file: str = ""  # certificates to trust in place of the system's
    user: str = ""
    password: SecretStr = SecretStr("")
    password_file: str = ""
    folder: str = "INBOX"
    sent_folder: str = ""  # where specialists' answers lie; "": not watched
    poll_seconds: int = Field(60, ge=1, le=1500)  # also how long one IDLE lasts
    since: AwareTime | None = None  # mail received before it is left alone; default: the daemon's first start
    folders: Folders = Folders()
    trusted_authserv_id: str = ""  # of the server that checks SPF, DKIM and DMARC for this mailbox
    trusted_forwarders: list[str] = []  # ARC sealers (domains) whose verdict counts when a forwarder broke DKIM
    own_lists: list[str] = []  # List-Ids of the vendor's own mailing group

    @property
    def actual_port(self) -> int:
        return self.port or (993 if self.tls == "implicit" else 143)

    @property
    def name(self) -> str:
        """By which the store knows this mailbox."""
        return f"{self.user}@{self.host}:{self.actual_port}/{self.folder}"


class Smtp(Section):
    """The server that takes our replies."""

    host: str = ""
    port: int = Field(0, ge=0, le=65535)  # 0: 465 for implicit TLS, 587 for STARTTLS, 25 without
    tls: Tls = "starttls"
    ca_file: str = ""
    user: str = ""
    password: SecretStr = SecretStr("")
    password_file: str = ""
    from_address: OneMailbox = ""
    from_name: str = ""
    connections: int = Field(2, ge=1, le=20)  # kept open side by side

    @property
    def actual_port(self) -> int:
        return self.port or {"implicit": 465, "starttls": 587, "none": 25}[self.tls]


class Database(Section):
    url: str = "sqlite:///var/triage.db"
    url_file: str = ""


class RulesSection(Section):
    pack: str = "navixy"  # a folder, or the name of a pack that is shipped


class Partners(Section):
    file: str = ""


class Staff(Section):
    addresses: list[MailboxOrDomain] = []  # the vendor's specialists
    notify: list[OneMailbox] = []  # who gets warnings by mail


class Log(Section):
    file: str = "-"  # "-" is standard output
    level: Literal["debug", "info", "warning", "error"] = "info"


class Limits(Section):
    max_message_bytes: int = Field(30_000_000, ge=10_000)  # larger mail is read only as far as its first text
    seconds_per_mail: float = Field(20.0, gt=0)  # reading that takes longer ends in quarantine
    readers: int = Field(2, ge=0, le=64)  # processes that read mail side by side; 0: in the daemon itself
    batch: int = Field(50, ge=1, le=500)  # mails that are fetched at once
    send_attempts: int = Field(30, ge=1)  # then a reply is given up
    silence_minutes: int = Field(15, ge=1)  # without a working mailbox or mailer, until staff is alarmed
    reconcile_minutes: int = Field(60, ge=1)  # how often the server's mail is counted against ours


class Keep(Section):
    """How long things are kept."""

    raw_days: int = Field(30, ge=0)  # the bytes of recent mail, for `explain`, `requeue` and `rules diff`
    raw_megabytes: int = Field(2000, ge=0)  # of them at most
    closed_days: int = Field(0, ge=0)  # closed tickets; 0: for ever


class Config(Section):
    """Everything that is configured."""

    mailbox: list[Mailbox] = Field(default_factory=lambda: [Mailbox()], min_length=1)
    smtp: Smtp = Smtp()
    database: Database = Database()
    rules: RulesSection = RulesSection()
    partners: Partners = Partners()
    staff: Staff = Staff()
    log: Log = Log()
    limits: Limits = Limits()
    keep: Keep = Keep()


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration and the folder that its relative paths start at."""

    config: Config
    base: Path
    file: Path | None

    def path(self, value: str) -> Path:
        """A configured path, made absolute."""
        return (self.base / Path(value).expanduser()).resolve()

    @property
    def database_url(self) -> str:
        """The database's URL; the path of an SQLite file is absolute."""
        url = self.config.database.url
        head = "sqlite:///"
        if url.startswith(head) and not url.startswith((head + "/", head + ":memory:")) and url != head:
            return head + str(self.path(url.removeprefix(head)))
        return url

    @property
    def secrets(self) -> list[str]:
        """Every password that is configured, so that none is ever shown."""
        given = [self.config.smtp.password, *(box.password for box in self.config.mailbox)]
        words = [one.get_secret_value() for one in given]
        with suppress(ValueError):  # no URL at all: that is said elsewhere
            parsed = urlsplit(self.config.database.url)
            words += [parsed.password or "", *parse_qs(parsed.query).get("password", [])]
        return [word for one in words if one for word in {one, unquote(one)}]

    @property
    def var(self) -> Path:
        """The folder for what the daemon keeps beside the database: the key, raw mail."""
        url = self.database_url
        if url.startswith("sqlite:////"):
            return Path(url.removeprefix("sqlite:///")).parent
        return self.path("var")


def load(file: Path | None, environment: Mapping[str, str] | None = None) -> Loaded:
    """Read the configuration. Without a file: the environment and the defaults. Raises ConfigError with every fault."""
    environment = os.environ if environment is None else environment
    data: dict[str, Any] = {}
    base = Path.cwd()
    if file is not None:
        data, base = _read(file), file.resolve().parent
    faults: list[str] = []
    if isinstance(data.get("mailbox"), dict):
        data["mailbox"] = [data["mailbox"]]
    _from_environment(data, environment, faults)
    _read_secret_files(data, base, faults)
    name = str(file) if file else "environment"
    try:
        config = Config.model_validate(data)
        faults += _mailbox_faults(config.mailbox)
    except ValidationError as error:
        faults += [_fault(dict(one)) for one in error.errors(include_url=False)]
    if faults:
        raise ConfigError("\n".join(f"{name}: {fault}" for fault in faults))
    return Loaded(config, base, file)


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(
            f"{file}: there is no such file; copy config.example.toml, or name another with --config"
        ) from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}; name a file that we may read") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: not valid TOML: {error}") from None


def _from_environment(data: dict[str, Any], environment: Mapping[str, str], faults: list[str]) -> None:
    known = [ENVIRONMENT + "__".join(one).upper() for one in _paths(Config)]
    for name, value in sorted(environment.items()):
        if not name.startswith(ENVIRONMENT):
            continue
        if "__" not in name:  # no key of ours, unless somebody took one underscore for two
            meant = [one for one in known if one.replace("__", "_") == name]
            faults += [f"{name}: no such key; did you mean {one}?" for one in meant]
            continue
        path = name.removeprefix(ENVIRONMENT).lower().split("__")
        kind = _type_of(path)
        if kind is None:
            close = _close(".".join(path), [".".join(one) for one in _paths(Config)])
            hint = f"did you mean {ENVIRONMENT}{close.replace('.', '__').upper()}?" if close else _SEE_EXAMPLE
            faults.append(f"{name}: no such key; {hint}")
            continue
        place = data
        for part in path[:-1]:
            inner = place.setdefault(part, [{}] if part == "mailbox" else {})
            place = inner[0] if isinstance(inner, list) else inner
        place[path[-1]] = _listed(value) if kind is list else value


def _listed(value: str) -> list[str]:
    """A list in an environment variable: JSON, or separated by commas."""
    if value.lstrip().startswith("["):
        try:
            return list(json.loads(value))
        except ValueError:
            pass
    return [part.strip() for part in value.split(",") if part.strip()]


def _read_secret_files(data: dict[str, Any], base: Path, faults: list[str]) -> None:
    mailboxes = data.get("mailbox", [])
    sections = [("mailbox", one) for one in (mailboxes if isinstance(mailboxes, list) else [])]
    for name, section in [*sections, *((one, data.get(one)) for one in ("smtp", "database"))]:
        secret = _SECRETS[name]
        if not isinstance(section, dict) or not isinstance(section.get(f"{secret}_file"), str):
            continue
        named = section[f"{secret}_file"]
        if not named:
            continue
        if section.get(secret):
            faults.append(f"{name}.{secret}: given itself and as {secret}_file; leave one of them out")
            continue
        try:
            section[secret] = (base / Path(named).expanduser()).read_text("utf-8-sig").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "not UTF-8 text"
            faults.append(f"{name}.{secret}_file: {named} cannot be read: {why}; name a file that we may read")


def _mailbox_faults(boxes: list[Mailbox]) -> Iterator[str]:
    """What would make the daemon work in a circle, or against itself."""
    names = [box.name for box in boxes if box.host]
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield f"mailbox: {name} is configured twice; leave one of them out"
    for box in boxes:
        for key, folder in box.folders.model_dump().items():
            if not folder.strip():
                yield f"mailbox.folders.{key}: empty; give the name of a folder"
            elif folder.casefold() == box.folder.casefold():
                yield f"mailbox.folders.{key}: {folder} is where new mail arrives; name another folder"


def _fault(error: dict[str, Any]) -> str:
    """One line for one of pydantic's errors, never with a value that may be secret."""
    location = [str(part) for part in error["loc"]]
    if location[:1] == ["mailbox"] and location[1:2] == ["0"]:
        location.pop(1)
    where = ".".join(location)
    if error["type"] == "extra_forbidden":
        siblings = [".".join((*location[:-1], one)) for one in _keys_at(location[:-1])]
        return f"{where}: no such key{_nearest(where, siblings)}"
    if error["type"] in ("model_type", "dict_type"):
        return f"{where}: is a section; write [{where}] above its keys"
    if location == ["mailbox"]:
        return "mailbox: is a section; write [mailbox] above its keys, or [[mailbox]] for each of several"
    return f"{where}: {str(error['msg']).removeprefix('Value error, ')}"


def _nearest(name: str, known: list[str]) -> str:
    close = _close(name, known)
    return f"; did you mean {close}?" if close else f"; known are {', '.join(known[:20])}"


def _close(name: str, known: list[str]) -> str:
    return next(iter(difflib.get_close_matches(name, known, 1, 0.5)), "")


def _paths(model: type[BaseModel], before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, info in model.model_fields.items():
        inner = _model(info.annotation)
        if inner:
            yield from _paths(inner, (*before, key))
        else:
            yield (*before, key)


def _keys_at(path: list[str]) -> list[str]:
    model: type[BaseModel] | None = Config
    for part in path:
        if part.isdigit():
            continue
        info = model.model_fields.get(part) if model else None
        model = _model(info.annotation) if info else None
    return list(model.model_fields) if model else []


def _type_of(path: list[str]) -> type | None:
    """list or str: what the environment gives for this key; None when there is no such key."""
    model: type[BaseModel] | None = Config
    for index, part in enumerate(path):
        info = model.model_fields.get(part) if model else None
        if info is None:
            return None
        model = _model(info.annotation)
        if index == len(path) - 1:
            return None if model else list if get_origin(info.annotation) is list else str
    return None


def _model(annotation: Any) -> type[BaseModel] | None:
    """The section that a field holds: itself, or the item of a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (list, Union):
        return next((found for one in get_args(annotation) if (found := _model(one))), None)
    return None
