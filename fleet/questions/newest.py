"""Where the newest observation of each plot stands."""

from collections.abc import Iterable

from sqlalchemy import BigInteger, Connection, Integer, and_, bindparam, or_, text, update

from fleet import schema
from fleet.ingest.post import Row

_AT_ONCE = text(
    "UPDATE plots SET stream_id = new.stream_id, seq = new.seq, taken_at = new.taken_at "
    "FROM unnest(CAST(:plots AS integer[]), CAST(:streams AS integer[]), CAST(:seqs AS bigint[]), "
    "CAST(:moments AS timestamptz[])) AS new (plot, stream_id, seq, taken_at) WHERE plots.id = new.plot "
    "AND (plots.stream_id IS NULL OR (new.stream_id, new.seq) > (plots.stream_id, plots.seq))"
)


def move_plots(connection: Connection, observations: Iterable[Row]) -> None:
    """Point each plot to its newest observation: newest by number, because clocks lie."""
    newest: dict[int, Row] = {}
    for row in observations:
        known = newest.setdefault(row["plot_id"], row)
        if (row["stream_id"], row["seq"]) > (known["stream_id"], known["seq"]):
            newest[row["plot_id"]] = row
    if not newest:
        return
    rows = [newest[plot] for plot in sorted(newest)]
    if connection.dialect.name == "postgresql":
        columns = {"plots": "plot_id", "streams": "stream_id", "seqs": "seq", "moments": "taken_at"}
        as_text = {name: "{" + ",".join(str(row[column]) for row in rows) + "}" for name, column in columns.items()}
        connection.execute(_AT_ONCE, as_text)
    else:
        _one_by_one(connection, rows)


def _one_by_one(connection: Connection, rows: Iterable[Row]) -> None:
    table = schema.plots
    stream, seq = bindparam("new_stream", type_=Integer), bindparam("new_seq", type_=BigInteger)
    follows = or_(stream > table.c.stream_id, and_(stream == table.c.stream_id, seq > table.c.seq))
    statement = update(table).where(table.c.id == bindparam("plot"), or_(table.c.stream_id.is_(None), follows))
    moves = [
        {"plot": row["plot_id"], "new_stream": row["stream_id"], "new_seq": row["seq"], "at": row["taken_at"]}
        for row in rows
    ]
    connection.execute(statement.values(stream_id=stream, seq=seq, taken_at=bindparam("at")), moves)
