"""Commands that staff writes in the first lines of a mail: `#severity 1`, `#accept`, `#partner Acme`.

Only read here; steps/staff.py carries them out, for authenticated staff alone.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from triage.core.pack import Pack

# word -> whether it takes a value
COMMANDS = {
    "severity": True,
    "deployment": True,
    "accept": False,
    "close": False,
    "reopen": False,
    "split": False,
    "partner": True,
}
_FIRST_LINES = 20
_LINE = re.compile(r"#([a-zA-Z]{2,20})(?:(?:[ :=]{1,3}|(?=\d))(.{1,200}))?")
_MARKS = " *_`"  # with which mail programs and people make a line stand out
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))


@dataclass(frozen=True, slots=True)
class Command:
    word: str
    value: str = ""
    fault: str = ""  # what is wrong with it, for the answer; "" when it can be carried out


def read(text: str, pack: Pack) -> tuple[Command, ...]:
    """The commands in the first lines of a text, up to the first line that is none."""
    return tuple(_checked(match.group(1).lower(), (match.group(2) or "").strip(), pack) for match in _matches(text)[0])


def rest(text: str) -> str:
    """What stands below the commands."""
    return _matches(text)[1]


def _matches(text: str) -> tuple[list[re.Match[str]], str]:
    found: list[re.Match[str]] = []
    lines = text.strip().split("\n")
    for number, line in enumerate(lines):
        words = _plain(line)
        match = _LINE.fullmatch(words)
        if match and number < _FIRST_LINES:
            found.append(match)
        elif words:
            return found, "\n".join(lines[number:])
    return found, ""


def _plain(line: str) -> str:
    """A line as it was meant: mail programs put marks, odd spaces and wide letters into it."""
    words = " ".join(unicodedata.normalize("NFKC", line[:1000].translate(_INVISIBLE)).split()).strip(_MARKS)
    apart = words.partition(" ")
    return "#" + apart[2] if apart[0] == "#" and apart[2].split(" ")[0].lower().strip(":=") in COMMANDS else words


def _checked(word: str, value: str, pack: Pack) -> Command:
    if word not in COMMANDS:
        close = difflib.get_close_matches(word, COMMANDS, 1)
        hint = f"did you mean #{close[0]}?" if close else "known are " + ", ".join(f"#{one}" for one in COMMANDS)
        return Command(word, value, f"no such command; {hint}")
    if COMMANDS[word] and not value:
        return Command(word, value, f"needs a value, as in #{word} {_example(word, pack)}")
    if not COMMANDS[word] and value:
        return Command(word, value, "takes no value")
    known = {"severity": list(pack.severity_by_id), "deployment": list(pack.deployment_by_id)}.get(word)
    if known:
        exact = _meant(value, known)
        if exact is None:
            return Command(word, value, f"no such {word}; known are {', '.join(known)}")
        value = exact
    return Command(word, value)


def _meant(value: str, known: Sequence[str]) -> str | None:
    """The one of these that is meant: on_premise, On-Premise and "on premise" are one, and so are 1 and "level 1"."""
    bare = {one.lower().replace("-", "_").replace(" ", "_"): one for one in known}
    words = [word for word in re.split(r"[^\w.]+", value.lower()) if word]
    for whole in ("_".join(words), "_".join(words).strip("._")):
        if whole in bare:
            return bare[whole]
    named = {bare[word.strip(".")] for word in words if word.strip(".") in bare}
    return named.pop() if len(named) == 1 else None


def _example(word: str, pack: Pack) -> str:
    if word == "severity":
        return pack.severities[0].id
    if word == "deployment":
        return pack.deployments[0].id
    return "NAME"
