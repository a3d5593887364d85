"""How long a due time takes to reckon, and how long `triage due` takes for many.

    python -m bench.due                  100,000 lines

Goals: a due time in under 20 microseconds once the calendar is loaded, also when it lies a year ahead; 100,000 lines in
under 10 seconds.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
import timeit
from datetime import UTC, datetime, timedelta
from functools import partial

from triage.adapters.holidays import holiday_dates
from triage.core.hours import WorkingTime
from triage.core.pack import Calendar

WINDOWS = {day: ["09:00-14:00", "16:00-19:00"] for day in ("mon", "tue", "wed", "thu", "fri")}
MADRID = Calendar.model_validate(
    {"id": "madrid", "zone": "Europe/Madrid", "windows": WINDOWS, "holidays": [{"country": "ES", "region": "MD"}],
     "clause": "x"}
)  # fmt: skip
START = datetime(2026, 3, 27, 18, 30, tzinfo=UTC)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=100_000)
    lines = parser.parse_args().lines
    began = time.perf_counter()
    working = WorkingTime(MADRID, holiday_dates(MADRID))
    working.add(START, timedelta(hours=2100))
    print(f"calendar of two years, with holidays   {(time.perf_counter() - began) * 1000:8.1f} ms")
    for name, hours in (("today", 2), ("over a weekend", 8), ("a year ahead", 2040)):
        number = 20_000
        seconds = timeit.timeit(partial(working.add, START, timedelta(hours=hours)), number=number)
        print(f"due {name:<15} {working.add(START, timedelta(hours=hours)):%Y-%m-%d} {seconds / number * 1e6:10.2f} µs")
    asked = "".join(_line(random.Random(number)) for number in range(lines))
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "triage", "due"], input=asked, capture_output=True, text=True, check=True
    )
    answers = done.stdout.count("\n")
    print(f"triage due, {answers:,} lines            {time.perf_counter() - began:8.2f} s")


def _line(dice: random.Random) -> str:
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=dice.randrange(2 * 365 * 86400))
    severity = dice.choice([None, 1, 2, 3])
    deployment = dice.choice(["paas", "on_premise", "cloud"])
    return json.dumps({"deployment": deployment, "severity": severity, "at": at.isoformat()}) + "\n"


if __name__ == "__main__":
    main()
