"""How fast a mail is taken apart, and that no text is slow: `python -m bench.body`.

The goals: well under 2 ms for a mail of 2,000 characters (median), and no input, however hostile, above 100 ms.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial

from tests.adapters.test_html import HOSTILE as HOSTILE_HTML
from tests.reading.test_body import HOSTILE as HOSTILE_TEXT
from triage.adapters.html import to_text
from triage.core.reading.body import take_apart

PARAGRAPH = (
    "The trackers of our client stopped sending data on Monday at about ten o'clock, and the report for that day\n"
    "shows no mileage at all although the vehicles were on the road. We restarted two by command, no change.\n\n"
)
MAIL = (
    f"Hello team,\n\n{PARAGRAPH * 4}1. Device 359633100000001, FMB920\n2. Device 359633100000002, FMB920\n\n"
    "Could you check what the server receives?\n\n"
    "Best regards,\nKen Okoro\nOkoro Tracking Ltd | Lagos\n+234 1 555 0100\n\n"
    "On Tue, Jul 8, 2025 at 11:20 AM Vera Lind <vera@support.example> wrote:\n"
    "> Hello Ken,\n> please tell us the numbers of the devices and since when they are silent, so that we can look\n"
    "> into the log of the server.\n>\n> Best regards,\n> Vera\n> Technical Support\n>\n"
    + "> An earlier line of the conversation that is quoted once more, as mail programs do.\n"
    * 7
)


def milliseconds(work: Callable[[], object], rounds: int) -> list[float]:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1000)
    return times


def main() -> None:
    times = milliseconds(lambda: take_apart(MAIL, subject="Re: no data"), 300)
    print(f"a mail of {len(MAIL)} characters: median {statistics.median(times):.2f} ms, slowest {max(times):.2f} ms")
    html = "<div>" + MAIL.replace("\n", "<br>\n") + "</div>"
    times = milliseconds(lambda: to_text(html), 300)
    print(f"the same as HTML to text: median {statistics.median(times):.2f} ms, slowest {max(times):.2f} ms")
    for name, text in HOSTILE_TEXT.items():
        print(f"{min(milliseconds(partial(take_apart, text), 3)):7.1f} ms  text: {name}")
    for name, html in HOSTILE_HTML.items():
        print(f"{min(milliseconds(partial(to_text, html), 3)):7.1f} ms  HTML: {name}")


if __name__ == "__main__":
    main()
