"""Names and numbers in a text: which account, which vehicle, device or SIM it speaks of.

An identifier is known by its form (a pack's [[form]] with signal `field.asset` or `field.account`: an IMEI with its
check digit) or by its company: a clue of the pack ("dealer", "placas", "tracker id") and, right after it, something
that could be one. What may follow depends on the clue:

    clue.account       a number, a login, an e-mail address, a name in quotes
    clue.panel         a number
    clue.client        a name in quotes or in capitals: Acme Haulage
    clue.account_after a name before it: the Acme Haulage account
    clue.sign_in       an e-mail address in the same sentence is an account's
    clue.asset         a vehicle's code, number or name in quotes: truck 23, unit "T-14", KCF 907T
    clue.asset_name    a vehicle's or device's name, in quotes or in capitals
    clue.plate         a number plate of any country
    clue.device        a long number, a name in quotes
    clue.device_id     any code with a digit
    clue.sim           a telephone number
    clue.owner         a name in capitals, right after an asset: KCF 907T of Acme Haulage

Words that are none of these speak against: `clue.not_an_id` right after a number (23 days), `clue.not_a_name` as the
first word of a name (client Android), `clue.model` where the code stands (device FMB920).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from triage.core.model import Evidence
from triage.core.reading.matches import Hit, Signals

_SHARES = {"certain": 0.97, "likely": 0.85, "name": 0.75}

# Between a clue and its value: a colon, a number sign, an opening bracket; nothing that ends the thought.
_GAP = re.compile(
    r"(?:[ \t]{0,3}:[ \t]{0,3}\n[ \t]{0,3})?[ \t]{0,3}"
    r"(?:[:=#№(\[]|(?<=[ \t])[–—-](?=[ \t])|[nN][°º.]|[nN]ro\.?|[iI][dD][:=#]?){0,2}[ \t]{0,3}(?:[(\[#])?"
)
_QUOTED = re.compile(
    r"\"([^\"\n]{2,44})\"|“([^”\n]{2,44})[”\"]|«([^»\n]{2,44})»|'([^'\n]{2,44})'(?!\w)|‘([^’\n]{2,44})’(?!\w)"
)
_NUMBER = re.compile(r"\d{2,15}(?![\w%°/@-]|[.,:]\d)")
_EMAIL = re.compile(r"[A-Za-z0-9_.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,5}")
_LOGIN = re.compile(r"(?=[\w.-]{0,40}[_.\d])[A-Za-z][A-Za-z0-9]{1,30}(?:[_.-][A-Za-z0-9]{1,30}){0,4}(?![\w@/]|\.\w)")
_PLAIN_LOGIN = re.compile(r"[A-Za-z][A-Za-z0-9]{3,30}(?=[,;)]|[ \t]{0,3}(?:\n|$))")  # all that follows "login:"
_FILE = re.compile(
    r"\.(?:xml|conf|log|json|csv|xlsx?|kml|php|java|js|py|jar|apk|sql|ini|html?|png|jpe?g|com|net|org|io)$"
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_CLOSED = re.compile(r"[)\]]|, ?(?:[A-Za-z]{2,7}\.?[ :#]{0,2})?\d")  # what ends a name in brackets
_OF_MODEL = re.compile(r",? ?\(?(?:with )?(?:id|ID|Id|imei|IMEI|nro|no)\.?[ :#=]{0,3}(\d{4,15})(?![\w.,]\d)")
_SETTING = re.compile(r"[=<>{}]")  # no name has these
_NAME_WORD = r"[A-ZÁÉÍÓÚÑÜÇА-Я][\w'’&-]{0,24}\.?"
_LINK = r"(?:de|del|la|las|los|el|y|e|da|do|dos|of|and|&|van|von|di)"
_NAME = re.compile(rf"{_NAME_WORD}(?:[ \t](?:{_LINK}[ \t]){{0,2}}{_NAME_WORD}){{0,4}}")
_NAME_BEFORE = re.compile(rf"(?:{_NAME_WORD}[ \t](?:{_LINK}[ \t])?){{1,4}}{_NAME_WORD}(?:['’]s?)?[ \t]{{1,2}}$")
_CODE = re.compile(
    r"(?:[A-Z]{1,5}[ -]?\d{1,6}(?:[ -]?(?:[A-Z]{1,3}|\d{1,4})){0,2}"
    r"|\d{1,4}[ -]?[A-Z]{1,3}(?:[ -]?[A-Z0-9]{1,4}){0,2}|[a-z]{1,4}-\d{1,5})(?![\w-])"
)
_FLEET_CODE = re.compile(
    r"[A-Z]{2,3}-\d{2,3}"
)  # how fleets number their vehicles: "unit TR-09", though models look alike
_VOLTS = re.compile(r"\d{1,3} ?V")
_PLATE = re.compile(r"(?=[A-Za-z -]{0,8}\d)[A-Za-z0-9]{1,7}(?:[ -][A-Z0-9]{1,4}){0,3}(?![\w-])")
_ANY_CODE = re.compile(r"(?=[A-Za-z._-]{0,16}\d)[A-Za-z0-9][A-Za-z0-9._-]{1,30}(?<![._-])")
_PHONE = re.compile(r"\(?\+?\d(?:[ ().-]{0,2}\d){6,15}")
_SAME_SENTENCE = 60  # characters between an address and the words that make it an account's
_SENTENCE_END = re.compile(r"\n|\. ")
_MOST_HITS = 200  # of one clue in one passage
_LONGEST_HEADED = 4  # words of clue and name; a longer row of capitals, the clue included, is a heading
_SHOUTED = 0.6  # share of words in capitals from which a line tells nothing by its capitals


@dataclass(frozen=True, slots=True)
class Identifier:
    """Something that names an account or an asset."""

    field: str  # account, asset
    matched: str
    evidence: Evidence
    confidence: float
    start: int  # where it stands in its passage
    end: int
    in_subject: bool


class Passage:
    """A text with the clues that were found in it."""

    def __init__(self, text: str, signals: Signals, in_subject: bool) -> None:
        self.text = text
        self._signals = signals
        self.in_subject = in_subject
        self._not_ids = self.starts("clue.not_an_id")
        self._not_names = self.starts("clue.not_a_name")
        self._models = [(hit.start, hit.end) for hit in self.hits("clue.model")]

    def hits(self, signal: str) -> list[Hit]:
        """What was found here, but only the first: a text of nothing but clues costs no more than a long mail."""
        return [hit for hit in self._signals.of(signal) if hit.in_subject == self.in_subject][:_MOST_HITS]

    def starts(self, signal: str) -> frozenset[int]:
        """Where the hits of a signal begin, all of them."""
        return frozenset(hit.start for hit in self._signals.of(signal) if hit.in_subject == self.in_subject)

    def counts_something(self, start: int, end: int) -> bool:
        """Whether a number counts what follows, or begins an aside in brackets: 23 days, cars (50 of them)."""
        if any(end + skip in self._not_ids for skip in (0, 1, 2)):
            return True
        opened = self.text[max(0, start - 1) : start] in ("(", "[")
        return opened and self.text[end : end + 1] not in (")", "]", ",")

    def tells_an_amount(self, start: int, end: int) -> bool:
        """Whether what is counted stands between: "15 minutes ago"."""
        return any(start < place < end for place in self._not_ids)

    def is_model(self, start: int, end: int) -> bool:
        return any(first < end and start < last for first, last in self._models)

    def starts_no_name(self, start: int) -> bool:
        return start in self._not_names

    def shouts(self, start: int, end: int) -> bool:
        """Whether capitals mean nothing around here: a heading, a line in capitals."""
        row = self.text[start:end]
        if row[0].isupper() and ":" not in row and len(row.split()) > _LONGEST_HEADED:
            return True
        first = self.text.rfind("\n", max(0, start - 120), start) + 1
        last = self.text.find("\n", end, end + 120)
        around = (
            self.text[max(first, start - 120) : start]
            + " "
            + self.text[end : min(last if last >= 0 else end + 120, end + 120)]
        )
        words = [word for word in around.split() if len(word) > 3 and word[0].isalpha()]
        return bool(words) and sum(word[0].isupper() for word in words) / len(words) >= _SHOUTED


def identifiers(passage: Passage) -> Iterator[Identifier]:
    """Everything in a passage that names an account or an asset."""
    for field in ("account", "asset"):
        for hit in passage.hits(f"field.{field}"):
            if passage.is_model(hit.start, hit.end):  # GL320MG has the form of a plate
                continue
            yield Identifier(
                field, hit.matched, hit.evidence, _SHARES["certain"], hit.start, hit.end, passage.in_subject
            )
    yield from _accounts(passage)
    yield from _assets(passage)
    yield from _with_model(passage)


def _found(passage: Passage, field: str, hit: Hit, start: int, end: int, share: str) -> Identifier:
    first, last = min(hit.start, start), max(hit.end, end)
    evidence = Evidence(hit.rule.id, hit.rule.clause, passage.text[first:last])
    return Identifier(field, passage.text[start:end], evidence, _SHARES[share], start, end, passage.in_subject)


def _after(passage: Passage, hit: Hit) -> int:
    gap = _GAP.match(passage.text, hit.end)
    return gap.end() if gap else hit.end


# ---------------------------------------------------------------- accounts


def _accounts(passage: Passage) -> Iterator[Identifier]:
    text = passage.text
    for signal in ("clue.account", "clue.panel"):
        for hit in passage.hits(signal):
            at = _after(passage, hit)
            if at == hit.end:  # "user" inside a longer word
                continue
            end = _account_id(passage, at, numbers_only=signal == "clue.panel")
            if end:
                yield _found(passage, "account", hit, at, end, "certain")
    for hit in passage.hits("clue.client"):
        at = _after(passage, hit)
        end = _name(passage, at, hit)
        if end and at > hit.end:
            yield _found(passage, "account", hit, at, end, "name")
    for hit in passage.hits("clue.account_after"):
        before = _NAME_BEFORE.search(text, max(0, hit.start - 60), hit.start)
        if before and not passage.starts_no_name(before.start()) and not passage.shouts(before.start(), hit.end):
            yield _found(passage, "account", hit, before.start(), hit.start, "name")
    if "@" in text:
        yield from _addresses(passage)


def _account_id(passage: Passage, at: int, *, numbers_only: bool) -> int:
    text = passage.text
    number = _NUMBER.match(text, at)
    if number and len(number.group()) >= 3 and not passage.counts_something(*number.span()):
        return number.end()
    if numbers_only:
        return 0
    for shape in (_QUOTED, _EMAIL):
        match = shape.match(text, at)
        if match and not _SETTING.search(match.group()):
            return match.end()
    plain = _PLAIN_LOGIN.match(text, at)
    if plain and text[at - 2 : at].strip()[-1:] in (":", "="):
        return plain.end()
    login = _LOGIN.match(text, at)
    if login and any(char in "_.0123456789" for char in login.group()) and not _FILE.search(login.group().lower()):
        return 0 if passage.is_model(login.start(), login.end()) else login.end()
    return 0


def _name(passage: Passage, at: int, clue: Hit) -> int:
    quoted = _QUOTED.match(passage.text, at)
    if quoted:
        return 0 if _SETTING.search(quoted.group()) else quoted.end()
    name = _NAME.match(passage.text, at)
    if not name or len(name.group()) < 3 or passage.starts_no_name(at) or passage.is_model(at, name.end()):
        return 0
    if passage.text[at - 1] in "([" and not _CLOSED.match(passage.text, name.end()):
        return 0  # an aside: customers (React and others)
    return 0 if passage.shouts(clue.start, name.end()) else name.end()


def _addresses(passage: Passage) -> Iterator[Identifier]:
    """E-mail addresses in a sentence about logging in or an account."""
    clues = passage.hits("clue.sign_in") + passage.hits("clue.account")
    if not clues:
        return
    for address in islice(_EMAIL.finditer(passage.text), _MOST_HITS):
        for hit in clues:
            first, last = min(hit.end, address.end()), max(hit.start, address.start())
            if last - first <= _SAME_SENTENCE and not _SENTENCE_END.search(passage.text, first, last):
                yield _found(passage, "account", hit, address.start(), address.end(), "likely")
                break


# ---------------------------------------------------------------- assets


def _assets(passage: Passage) -> Iterator[Identifier]:
    for signal, shape, share in (
        ("clue.asset", _vehicle, "likely"),
        ("clue.asset_name", _asset_name, "name"),
        ("clue.plate", _plate, "certain"),
        ("clue.device", _device, "certain"),
        ("clue.device_id", _device_id, "certain"),
        ("clue.sim", _sim, "certain"),
    ):
        for hit in passage.hits(signal):
            at = _after(passage, hit)
            end = shape(passage, at) if at > hit.end else 0
            if end:
                yield _found(passage, "asset", hit, at, end, share)
                yield from _owner(passage, end)


def _with_model(passage: Passage) -> Iterator[Identifier]:
    """The number right after a device's model: "Trace5 (id 660231)"."""
    for hit in passage.hits("clue.model"):
        number = _OF_MODEL.match(passage.text, hit.end)
        if number:
            yield _found(passage, "asset", hit, number.start(1), number.end(1), "likely")


def _owner(passage: Passage, asset_end: int) -> Iterator[Identifier]:
    for hit in passage.hits("clue.owner"):
        if asset_end < hit.start <= asset_end + 2:
            end = _name(passage, hit.end + 1, hit)
            if end:
                yield _found(passage, "account", hit, hit.end + 1, end, "name")
                return


def _vehicle(passage: Passage, at: int) -> int:
    text = passage.text
    quoted = _QUOTED.match(text, at)
    if quoted:
        inside = quoted.group().strip("\"“”«»'‘’")
        named = inside[0].isupper() or any(char.isdigit() for char in inside)
        return quoted.end() if named and not passage.is_model(*quoted.span()) else 0
    code = _CODE.match(text, at)
    if code:
        model = passage.is_model(*code.span()) and not _FLEET_CODE.fullmatch(code.group())
        none = model or passage.counts_something(*code.span()) or _VOLTS.fullmatch(code.group())
        return 0 if none else code.end()
    number = _NUMBER.match(text, at)
    if not number or _YEAR.fullmatch(number.group()) or passage.counts_something(*number.span()):
        return 0
    return number.end()


def _asset_name(passage: Passage, at: int) -> int:
    quoted = _QUOTED.match(passage.text, at)
    if quoted:
        return 0 if _SETTING.search(quoted.group()) else quoted.end()
    name = _NAME.match(passage.text, at)
    if not name or passage.starts_no_name(at) or passage.is_model(*name.span()):
        return 0
    return 0 if passage.shouts(at, name.end()) else name.end()


def _plate(passage: Passage, at: int) -> int:
    plate = _PLATE.match(passage.text, at)
    return plate.end() if plate and len(plate.group()) >= 4 else 0


def _device(passage: Passage, at: int) -> int:
    number = _NUMBER.match(passage.text, at)
    if number and len(number.group()) >= 4 and not _YEAR.fullmatch(number.group()):
        return 0 if passage.counts_something(*number.span()) else number.end()
    quoted = _QUOTED.match(passage.text, at)
    if not quoted or passage.is_model(*quoted.span()) or passage.tells_an_amount(*quoted.span()):
        return 0
    return quoted.end() if any(char.isdigit() for char in quoted.group()) else 0


def _device_id(passage: Passage, at: int) -> int:
    quoted = _QUOTED.match(passage.text, at)
    if quoted:
        return quoted.end()
    code = _ANY_CODE.match(passage.text, at)
    if not code or passage.is_model(*code.span()) or passage.counts_something(*code.span()):
        return 0
    return code.end()


def _sim(passage: Passage, at: int) -> int:
    phone = _PHONE.match(passage.text, at)
    return phone.end() if phone else 0
