"""`triage due`: the response clock by itself, from JSON lines."""

from __future__ import annotations

import io
import json
import sys
from datetime import datetime
from typing import Any

import click

from triage.cli import Context


@click.command()
@click.pass_obj
def due(context: Context) -> None:
    """Reckon response times: JSON lines in, JSON lines out.

    In: {"deployment", "severity" (or null), "at" (ISO 8601 with offset)}. Out: {"due", "hours", "guaranteed",
    "counted_from"}, at once for each line. A faulty line gets {"error"} and exit status 1 at the end.

    \b
    echo '{"deployment": "paas", "severity": 1, "at": "2026-01-05T12:00:00Z"}' | triage due
    """
    from triage.core import clock
    from triage.core.errors import TriageError

    rules = context.rules
    faulty = False
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8-sig", errors="replace")
    for number, line in enumerate(sys.stdin, 1):
        if not line.strip():
            continue
        try:
            deployment, severity, at = _asked(_parsed(line), rules.pack)
            running = clock.start(rules, at, deployment, severity)
            hours = int(running.hours) if running.hours == int(running.hours) else running.hours
            answer: dict[str, Any] = {
                "due": running.due.isoformat(),
                "hours": hours,
                "guaranteed": running.guaranteed,
                "counted_from": running.counted_from.isoformat(),
            }
        except (TriageError, ValueError, OverflowError, RecursionError) as error:
            answer, faulty = {"error": f"line {number}: {error}"}, True
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()  # who asks line by line waits for it
    if faulty:
        raise click.exceptions.Exit(1)


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg} at column {error.colno})") from None


def _asked(line: Any, pack: Any) -> tuple[str, str | None, datetime]:
    """The three values of a line. Raises ValueError with what is wrong."""
    if not isinstance(line, dict):
        raise ValueError('not an object; write {"deployment": ..., "severity": ..., "at": ...}')
    deployment, severity, at = line.get("deployment"), line.get("severity"), line.get("at")
    if not isinstance(deployment, str) or deployment not in pack.deployment_by_id:
        raise ValueError(f"deployment: {deployment!r} is none of {', '.join(pack.deployment_by_id)}")
    if severity is not None and str(severity) not in pack.severity_by_id:
        raise ValueError(f"severity: {severity!r} is none of {', '.join(pack.severity_by_id)}, nor null")
    if not isinstance(at, str):
        raise ValueError("at: not a text; write it as 2026-01-05T12:00:00+00:00")
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        raise ValueError(f"at: {at[:40]!r} is no time; write it as 2026-01-05T12:00:00+00:00") from None
    if moment.tzinfo is None:
        raise ValueError(f"at: {at!r} has no offset; write it as 2026-01-05T12:00:00+00:00")
    return deployment, None if severity is None else str(severity), moment
