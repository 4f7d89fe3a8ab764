"""The audit log: who did what to which rollout or model, when, and with which digest. Append-only, chained by hashes.

Every entry holds the SHA-256 of the one before, so an entry that is altered, removed or put in later breaks the chain
from there on. What a chain cannot show by itself is that its end was cut off: note its head elsewhere now and then
(``canopy-fleet audit list`` prints it) and give it to ``verify``.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Connection, insert, select, text

from fleet import schema
from fleet.errors import AuditBroken

GENESIS = "0" * 64
SERVICE = "canopy-fleet"
"""Who acts when nobody asked: the service itself."""

_noticed: ContextVar[list[str] | None] = ContextVar("noticed", default=None)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was done. ``before`` and ``hash`` are those of the chain, as hexadecimal SHA-256."""

    seq: int
    at: str
    who: str
    action: str
    subject: str
    digest: str | None
    detail: str
    before: str
    hash: str

    def expected_hash(self) -> str:
        """The hash of everything else in the entry: SHA-256 of its fields as a JSON array, the previous hash first."""
        content = [self.before, self.seq, self.at, self.who, self.action, self.subject, self.digest, self.detail]
        return hashlib.sha256(json.dumps(content, ensure_ascii=True, separators=(",", ":")).encode()).hexdigest()


def record(
    connection: Connection, who: str, action: str, subject: str, digest: str | None = None, **detail: Any
) -> Entry:
    """Add an entry, in the caller's transaction: what is done and what is written of it are one."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE audit IN EXCLUSIVE MODE"))  # one writer, as SQLite has anyway
    last = connection.execute(select(schema.audit).order_by(schema.audit.c.seq.desc()).limit(1)).one_or_none()
    at = datetime.now(timezone.utc).isoformat(timespec="microseconds")
    told = json.dumps(detail, sort_keys=True, default=str)
    seq, before = (last.seq + 1, last.hash) if last else (1, GENESIS)
    entry = Entry(seq, at, who[:256], action, subject, digest, told, before, "")
    entry = Entry(**{**asdict(entry), "hash": entry.expected_hash()})
    connection.execute(insert(schema.audit).values(**asdict(entry)))
    noticed = _noticed.get()
    if noticed is not None:
        noticed.append(action)
    return entry


@contextmanager
def noticing() -> Iterator[list[str]]:
    """The actions that are recorded inside of the block, also in threads that have its context."""
    actions: list[str] = []
    token = _noticed.set(actions)
    try:
        yield actions
    finally:
        _noticed.reset(token)


def entries(connection: Connection, limit: int | None = None, below: int | None = None) -> list[Entry]:
    """The log, oldest first; with ``limit`` its newest entries, of those ``below`` a number if one is given."""
    query = select(schema.audit).order_by(schema.audit.c.seq.desc()).limit(limit)
    query = query if below is None else query.where(schema.audit.c.seq < below)
    return [Entry(**row) for row in reversed(connection.execute(query).mappings().all())]


def verify(connection: Connection, head: str | None = None) -> int:
    """Check the whole chain; returns how many entries it has.

    Args:
        connection: the store's.
        head: a hash that was noted earlier, and must still be in the chain.

    Raises:
        AuditBroken: an entry does not follow from the one before, or ``head`` is gone.
    """
    count, before, found = 0, GENESIS, head in {None, GENESIS}
    for entry in _every(connection):
        count += 1
        if entry.seq != count or entry.before != before:
            raise AuditBroken(
                f"the audit log breaks before entry {entry.seq}: entry {count} is not what follows {before[:12]}"
            )
        if entry.hash != entry.expected_hash():
            raise AuditBroken(f"entry {entry.seq} of the audit log ({entry.action} {entry.subject}) was altered")
        before = entry.hash
        found = found or entry.hash == head
    if not found:
        raise AuditBroken(f"no entry of the audit log has the hash {head}: its end was cut off, or another log written")
    return count


def _every(connection: Connection) -> Iterator[Entry]:
    for row in connection.execute(select(schema.audit).order_by(schema.audit.c.seq)).mappings():
        yield Entry(**row)
