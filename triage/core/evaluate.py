"""Scoring: what the readers say of labelled messages, held against what people said.

A row is one message with its labels (the values of the triage guide). Nothing here reads files; `score` takes rows and
readings and gives numbers, and `Report` says them for people and for machines. Labels that a row calls unsure are not
scored; machine mail is scored on kind and language only.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from triage.core.model import Attachment, Email, Evidence, Label, Reading

MACHINE = frozenset({"auto_reply", "bounce", "list", "loop"})
LABELS = ("kind", "language", "questions", "request_type", "service", "out_of_scope", "severity", "courtesy")
CONFUSED = ("service", "request_type")  # labels whose confusion is shown
NULL = "null"  # how a label without a value is written
_WORST = 40  # mistakes that a report keeps


class RowError(ValueError):
    """A line that is not a labelled message; the message says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled message."""

    id: str
    email: Email
    deployment: str | None
    labels: Mapping[str, str]  # fields as "fields.<id>"
    unsure: frozenset[str]
    expected_text: str | None = None
    closing: str = ""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One label that was read wrongly, and what misled."""

    row: str
    label: str
    expected: str
    got: str
    confidence: float
    subject: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """How well one value of a label is found."""

    right: int  # true positives
    said: int  # how often the readers said it
    meant: int  # how often it was right to say it

    @property
    def precision(self) -> float:
        return self.right / self.said if self.said else 0.0

    @property
    def recall(self) -> float:
        return self.right / self.meant if self.meant else 0.0

    @property
    def f1(self) -> float:
        return 2 * self.right / (self.said + self.meant) if self.said + self.meant else 0.0


@dataclass(slots=True)
class Tally:
    """The pairs (expected, got) of one label."""

    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def scored(self) -> int:
        return sum(self.pairs.values())

    @property
    def accuracy(self) -> float:
        right = sum(times for (expected, got), times in self.pairs.items() if expected == got)
        return right / self.scored if self.scored else 0.0

    def values(self) -> dict[str, Score]:
        """Each value that was expected or given, the frequent ones first."""
        meant: Counter[str] = Counter()
        said: Counter[str] = Counter()
        for (expected, got), times in self.pairs.items():
            meant[expected] += times
            said[got] += times
        names = sorted(meant | said, key=lambda name: (-meant[name], name))
        return {name: Score(self.pairs[name, name], said[name], meant[name]) for name in names}

    @property
    def macro_f1(self) -> float:
        """The mean F1 of the values that were expected."""
        meant = [score.f1 for score in self.values().values() if score.meant]
        return sum(meant) / len(meant) if meant else 0.0

    def told(self) -> Score:
        """Whether a value was told at all, and the right one: for labels that are mostly null."""
        right = sum(n for (expected, got), n in self.pairs.items() if expected == got != NULL)
        said = sum(n for (_, got), n in self.pairs.items() if got != NULL)
        meant = sum(n for (expected, _), n in self.pairs.items() if expected != NULL)
        return Score(right, said, meant)


@dataclass(slots=True)
class Report:
    """The figures of a run."""

    rows: int = 0
    labels: dict[str, Tally] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def add(self, row: Row, label: str, expected: str, got: str, said: Label) -> None:
        self.labels.setdefault(label, Tally()).pairs[expected, got] += 1
        if expected != got and label != "text":
            subject = row.email.subject
            self.mistakes.append(Mistake(row.id, label, expected, got, said.confidence, subject, said.evidence))

    def worst(self, at_most: int = _WORST) -> list[Mistake]:
        """The mistakes that were made with most certainty."""
        return sorted(self.mistakes, key=lambda mistake: (-mistake.confidence, mistake.row, mistake.label))[:at_most]

    def as_json(self) -> dict[str, Any]:
        """The report for machines."""
        return {
            "rows": self.rows,
            "labels": {name: _label_json(name, tally) for name, tally in self.labels.items()},
            "mistakes": [_mistake_json(mistake) for mistake in self.worst(len(self.mistakes))],
        }


def row(data: Mapping[str, Any]) -> Row:
    """A labelled message from its JSON object. Raises RowError."""
    labels = _object(data, "labels")
    fields = _object(labels, "fields") if "fields" in labels else {}
    values = {name: _written(labels[name]) for name in LABELS if name in labels}
    values |= {f"fields.{name}": _written(value) for name, value in fields.items()}
    if not values:
        raise RowError("labels: empty; expected kind, language and so on as in the triage guide")
    attachments = data.get("attachments") or []
    if not isinstance(attachments, list) or not all(isinstance(name, str) for name in attachments):
        raise RowError("attachments: expected a list of file names")
    email = Email(
        subject=_text(data, "subject", ""),
        text=_text(data, "text", None),
        attachments=tuple(Attachment(name, "application/octet-stream", 0) for name in attachments),
    )
    return Row(
        id=str(data.get("id", "")) or "(no id)",
        email=email,
        deployment=data.get("deployment"),
        labels=values,
        unsure=frozenset(str(name) for name in data.get("unsure") or ()),
        expected_text=data.get("expected_text"),
        closing=str(data.get("closing") or ""),
    )


def score(pairs: Iterable[tuple[Row, Reading]]) -> Report:
    """The figures for labelled messages and what was read in them."""
    report = Report()
    for one, reading in pairs:
        report.rows += 1
        said = _said(reading)
        machine = one.labels.get("kind") in MACHINE
        for name, expected in one.labels.items():
            if name in one.unsure or name not in said or (machine and name not in ("kind", "language")):
                continue
            label = said[name]
            report.add(one, name, expected, _written(label.value), label)
            if name == "questions" and expected != "0":
                several = (_several(expected), _several(_written(label.value)))
                report.add(one, "several_questions", *several, label)
        if one.expected_text is not None and not machine and "text" not in one.unsure:
            right = same_text(one.expected_text, reading.body.text, one.closing)
            report.add(one, "text", "true", str(right).lower(), Label(None))
    report.labels = dict(sorted(report.labels.items(), key=lambda item: _place(item[0])))
    return report


def _place(label: str) -> tuple[int, str]:
    """The order of a report: as in the guide, what is said of questions together, the fields and the text last."""
    order = (*LABELS[:3], "several_questions", *LABELS[3:])
    return (order.index(label) if label in order else len(order), label)


def same_text(expected: str, got: str, closing: str = "") -> bool:
    """Whether a text is the expected one: white space does not count, the closing may be kept or dropped."""
    bare, closing = _bare(expected), _bare(closing)
    without = bare.removesuffix(closing) if closing else bare
    return _bare(got) in (bare, without, without + closing)


def _bare(text: str) -> str:
    return re.sub(r"\s+", "", text)


def _said(reading: Reading) -> dict[str, Label]:
    """Every label of a reading, named as in the rows."""
    questions = Label(str(len(reading.questions)), reading.questions_confidence)
    found = {
        "kind": reading.kind,
        "language": reading.language,
        "questions": questions,
        "request_type": reading.request_type,
        "service": reading.service,
        "out_of_scope": reading.out_of_scope,
        "severity": reading.severity,
        "courtesy": reading.courtesy,
    }
    return found | {f"fields.{name}": label for name, label in reading.fields.items()}


def _several(number: str) -> str:
    return "several" if number not in ("0", "1") else "one"


def _written(value: Any) -> str:
    """A value as it is written in a report: null, true, false, or its text."""
    if value is None:
        return NULL
    return str(value).lower() if isinstance(value, bool) else str(value)


def _object(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    if not isinstance(value, dict):
        raise RowError(f"{key}: missing, or not an object")
    return value


def _text(data: Mapping[str, Any], key: str, default: str | None) -> str:
    value = data.get(key, default)
    if not isinstance(value, str):
        raise RowError(f"{key}: missing, or not a text")
    return value


def _label_json(name: str, tally: Tally) -> dict[str, Any]:
    told = tally.told()
    shown: dict[str, Any] = {
        "scored": tally.scored,
        "accuracy": round(tally.accuracy, 4),
        "macro_f1": round(tally.macro_f1, 4),
        "values": {value: _score_json(one) for value, one in tally.values().items()},
    }
    if NULL in tally.values():
        shown["told"] = _score_json(told)
    if name in CONFUSED:
        shown["confusion"] = confusion(tally)
    return shown


def confusion(tally: Tally) -> dict[str, dict[str, int]]:
    """expected -> got -> how often."""
    found: dict[str, dict[str, int]] = {}
    for (expected, got), times in sorted(tally.pairs.items(), key=lambda item: (item[0][0], -item[1], item[0][1])):
        found.setdefault(expected, {})[got] = times
    return found


def _score_json(one: Score) -> dict[str, Any]:
    return {
        "precision": round(one.precision, 4),
        "recall": round(one.recall, 4),
        "f1": round(one.f1, 4),
        "right": one.right,
        "said": one.said,
        "meant": one.meant,
    }


def _mistake_json(mistake: Mistake) -> dict[str, Any]:
    return {
        "id": mistake.row,
        "label": mistake.label,
        "expected": mistake.expected,
        "got": mistake.got,
        "confidence": mistake.confidence,
        "subject": mistake.subject,
        "evidence": [{"rule": e.rule, "clause": e.clause, "matched": e.matched} for e in mistake.evidence],
    }


def lines(report: Report, worst: int = 20) -> Sequence[str]:
    """The report for people."""
    shown = [f"{report.rows} messages", "", f"{'label':<22}{'scored':>7}{'accuracy':>10}{'macro-F1':>10}"]
    for name, tally in report.labels.items():
        shown.append(f"{name:<22}{tally.scored:>7}{tally.accuracy:>10.3f}{tally.macro_f1:>10.3f}")
    for name, tally in report.labels.items():
        if name == "text":
            continue
        shown += ["", f"{name:<28}{'precision':>10}{'recall':>8}{'F1':>8}{'number':>8}"]
        for value, one in tally.values().items():
            shown.append(f"  {value:<26}{one.precision:>10.3f}{one.recall:>8.3f}{one.f1:>8.3f}{one.meant:>8}")
        if NULL in tally.values():
            told = tally.told()
            shown.append(
                f"  {'(any value)':<26}{told.precision:>10.3f}{told.recall:>8.3f}{told.f1:>8.3f}{told.meant:>8}"
            )
        if name in CONFUSED:
            shown += ["  taken for another:", *_confused(tally)]
    shown += _mistakes(report, worst)
    return shown


def _confused(tally: Tally) -> list[str]:
    wrong = [(times, expected, got) for (expected, got), times in tally.pairs.items() if expected != got]
    return [
        f"    {times:>3} x {expected} read as {got}" for times, expected, got in sorted(wrong, key=lambda w: (-w[0], w))
    ]


def _mistakes(report: Report, at_most: int) -> list[str]:
    worst = report.worst(at_most)
    if not worst:
        return []
    shown = ["", f"the worst of {len(report.mistakes)} mistakes, by how sure the reader was:"]
    for one in worst:
        shown.append(
            f"  {one.row}  {one.label}: {one.expected} read as {one.got} ({one.confidence:.2f})  {one.subject[:60]!r}"
        )
        for evidence in one.evidence[:4]:
            shown.append(f"      {evidence.rule}: {' '.join(evidence.matched.split())[:80]!r}")
    return shown
