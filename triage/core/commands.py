"""Commands that staff writes in the first lines of a mail: `#severity 1`, `#accept`, `#partner Acme`.

Only read here; steps/staff.py carries them out, for authenticated staff alone.
"""

from __future__ import annotations

import difflib
import re
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
_LINE = re.compile(r"#([a-zA-Z]{2,20})(?:[ :=]{1,3}(.{1,200}))?")


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
        words = " ".join(line[:1000].split())
        match = _LINE.fullmatch(words)
        if match and number < _FIRST_LINES:
            found.append(match)
        elif words:
            return found, "\n".join(lines[number:])
    return found, ""


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
        exact = next((one for one in known if _bare(one) == _bare(value)), None)
        if exact is None:
            return Command(word, value, f"no such {word}; known are {', '.join(known)}")
        value = exact
    return Command(word, value)


def _bare(text: str) -> str:
    """on_premise, On-Premise and "on premise" are one."""
    return text.lower().replace("-", "_").replace(" ", "_")


def _example(word: str, pack: Pack) -> str:
    if word == "severity":
        return pack.severities[0].id
    if word == "deployment":
        return pack.deployments[0].id
    return "NAME"
