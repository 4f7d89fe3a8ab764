"""Messages that were none: counted under their topic and reason, and their number is bounded."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, select

from fleet import schema, statements
from fleet.ingest.intake import HEAD_BYTES, Reject

MAX_REJECTS = 1_000
"""Different rejects kept; further ones are counted together."""


def file_rejects(connection: Connection, rejects: Iterable[Reject], now: datetime) -> None:
    """Count each reject under its topic and reason."""
    rejects = list(rejects)
    if not rejects:
        return
    table = schema.rejects
    known = {(row.topic, row.reason) for row in connection.execute(select(table.c.topic, table.c.reason))}
    counted: Counter[tuple[str, str]] = Counter()
    heads: dict[tuple[str, str], bytes] = {}
    for reject in rejects:
        key = (reject.topic, reject.reason)
        if key not in known and len(known) >= MAX_REJECTS:
            key = ("", f"others, after {MAX_REJECTS} different ones")
        known.add(key)
        counted[key] += 1
        heads[key] = reject.head[:HEAD_BYTES]
    rows = [
        {"topic": key[0], "reason": key[1], "head": heads[key], "count": count, "last_at": now}
        for key, count in sorted(counted.items())
    ]
    statement = statements.insert(connection, table)
    added = {
        "count": table.c.count + statement.excluded.count,
        "head": statement.excluded.head,
        "last_at": statement.excluded.last_at,
    }
    connection.execute(statement.on_conflict_do_update(index_elements=["topic", "reason"], set_=added), rows)
