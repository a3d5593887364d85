"""Fetching messages in bounded memory: small ones by the batch, large ones in slices, flags untouched."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence

from imapclient.exceptions import IMAPClientError

from triage.adapters.imap_session import Session, is_refusal
from triage.core.errors import MailError

SLICE = 256 * 1024  # larger messages come in pieces of this size: memory grows by the message, not by copies of it
BATCH_BYTES = 4 * 1024 * 1024  # a FETCH asks for no more than this
BATCH_COUNT = 100  # nor for more messages than this


def fetch(
    session: Session, uids: Sequence[int], sizes: Mapping[int, int], max_bytes: int
) -> Iterator[tuple[int, bytes]]:
    """The messages in the order of `uids`, as far as they are in `sizes` and still there."""
    refused: list[int] = []
    for batch in _batches([uid for uid in uids if uid in sizes], sizes):
        if sizes[batch[0]] > SLICE:
            raw = _large(session, batch[0], sizes[batch[0]], max_bytes)
            if raw is not None:
                yield batch[0], raw
            continue
        got = _small(session, batch, refused)
        for uid in batch:
            if uid in got:
                yield uid, got.pop(uid)
    if refused:
        raise MailError(f"{session.where}: does not hand out message(s) with UID {', '.join(map(str, refused))}")


def piece(session: Session, uid: int, offset: int) -> bytes | None:
    """A slice of a message; empty behind its end; None when the message is gone."""
    with session.talk("fetching a large message") as client:
        item = client.fetch([uid], [f"BODY.PEEK[]<{offset}.{SLICE}>"]).get(uid)
        if item is None:
            return None
        return next((value for key, value in item.items() if key.startswith(b"BODY[")), None) or b""


def still_there(session: Session, uids: Sequence[int]) -> list[int]:
    """Those of these messages that the open folder has."""
    with session.talk("looking for messages") as client:
        return sorted(set(uids) & set(client.search(["UID", ",".join(map(str, uids))])))


def _batches(uids: Sequence[int], sizes: Mapping[int, int]) -> Iterator[list[int]]:
    """Groups bounded by count and bytes; a large message is a group of its own."""
    batch: list[int] = []
    total = 0
    for uid in uids:
        size = sizes[uid]
        if batch and (size > SLICE or total + size > BATCH_BYTES or len(batch) == BATCH_COUNT):
            yield batch
            batch, total = [], 0
        if size > SLICE:
            yield [uid]
            continue
        batch.append(uid)
        total += size
    if batch:
        yield batch


def _small(session: Session, batch: Sequence[int], refused: list[int]) -> dict[int, bytes]:
    with session.talk("fetching messages") as client:
        try:
            answer = client.fetch(batch, ["BODY.PEEK[]"])
        except IMAPClientError as error:
            if not is_refusal(error):
                raise
            # "NO some of the requested messages no longer exist", or one cannot be read: the rest is not kept waiting.
            left = still_there(session, batch)
            if len(batch) == 1:
                refused.extend(left)
                return {}
            got: dict[int, bytes] = {}
            for uid in left:
                got.update(_small(session, [uid], refused))
            return got
    bodies = {uid: item.get(b"BODY[]") for uid, item in answer.items()}
    hollow = [uid for uid, body in bodies.items() if not isinstance(body, bytes) or not body]
    if hollow:  # NIL, or nothing: gone meanwhile (RFC 2180 section 4.1), or the server's fault
        refused.extend(still_there(session, hollow))
    return {uid: body for uid, body in bodies.items() if isinstance(body, bytes) and body}


def _large(session: Session, uid: int, size: int, max_bytes: int) -> bytes | None:
    if size > max_bytes:
        return piece(session, uid, 0)
    whole = io.BytesIO()  # hands its buffer out without a copy
    while True:
        part = piece(session, uid, whole.tell())
        if part is None:
            return None
        if len(part) > SLICE:  # a server that does not know partial fetches sends all at once
            return part
        whole.write(part)
        if whole.tell() > max_bytes:  # the server lied about the size
            return whole.getvalue()[:SLICE]
        if not part or (len(part) < SLICE and whole.tell() >= size):
            return whole.getvalue()
