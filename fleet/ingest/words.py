"""Numbers for what is said again and again: cameras, plots, kinds of values, digests. Looked up once for each batch.

What was looked up is remembered, and forgotten when a transaction fails: a number of it may never have been written.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, select, tuple_

from edge.contract.records import TraitValue
from fleet import schema, statements
from fleet.ingest.post import storable

Key = tuple[Any, ...]
Kind = tuple[str, str | None, str]
"""Trait, unit and method of a value."""

_AT_ONCE = 4_000
_REMEMBERED = 1_000_000


def kinds_of(traits: Iterable[TraitValue]) -> tuple[Kind, ...]:
    """What the values of an observation are, in their order."""
    return tuple([(one.trait, one.unit._value_ if one.unit is not None else None, one.method) for one in traits])


class Words:
    """The numbers of names, as far as they were asked for."""

    def __init__(self) -> None:
        self._known: dict[str, dict[Key, int]] = {}

    def forget(self) -> None:
        """Look everything up anew."""
        self._known.clear()

    def devices(self, connection: Connection, wanted: Collection[tuple[str, str]], now: datetime) -> dict[Key, int]:
        """By site and name."""
        new = {"first_seen": now, "last_seen": now, "online": False}
        return self._ids(connection, schema.devices, ("site", "device"), wanted, new)

    def streams(self, connection: Connection, wanted: Collection[tuple[int, str]], now: datetime) -> dict[Key, int]:
        """By device and epoch."""
        new = {"first_seen": now, "last_seen": now}
        return self._ids(connection, schema.streams, ("device_id", "epoch"), wanted, new)

    def cameras(self, connection: Connection, wanted: Collection[tuple[int, str]]) -> dict[Key, int]:
        """By device and name."""
        return self._ids(connection, schema.cameras, ("device_id", "name"), wanted)

    def plots(self, connection: Connection, wanted: Collection[tuple[int, str]]) -> dict[Key, int]:
        """By camera and name."""
        return self._ids(connection, schema.plots, ("camera_id", "name"), wanted)

    def digests(self, connection: Connection, wanted: Collection[str]) -> dict[Key, int]:
        """By the digest, alone in a tuple."""
        return self._ids(connection, schema.digests, ("digest",), [(digest,) for digest in wanted])

    def trait_sets(self, connection: Connection, wanted: Iterable[tuple[Kind, ...]]) -> dict[tuple[Kind, ...], int]:
        """By the kinds in their order."""
        prints = {kinds: _fingerprint(kinds) for kinds in wanted}
        known = self._known.setdefault(schema.trait_sets.name, {})
        unknown = {print_: kinds for kinds, print_ in prints.items() if (print_,) not in known}
        if unknown:
            self._learn_sets(connection, unknown)
        return {kinds: known[print_,] for kinds, print_ in prints.items()}

    def _learn_sets(self, connection: Connection, sets: dict[str, tuple[Kind, ...]]) -> None:
        kinds = self._kinds(connection, {kind for members in sets.values() for kind in members})
        ids = self._ids(connection, schema.trait_sets, ("fingerprint",), [(print_,) for print_ in sets])
        rows = [
            {"trait_set_id": ids[print_,], "position": position, "kind_id": kinds[kind]}
            for print_, members in sorted(sets.items())
            for position, kind in enumerate(members)
        ]
        statements.add_rows(connection, schema.trait_set_members, rows)

    def _kinds(self, connection: Connection, wanted: Collection[Kind]) -> dict[Kind, int]:
        prints = {kind: _fingerprint(kind) for kind in wanted}
        rows = [
            {"trait": trait, "unit": unit, "method": storable(method), "fingerprint": prints[trait, unit, method]}
            for trait, unit, method in wanted
        ]
        statements.add_rows(connection, schema.kinds, sorted(rows, key=lambda row: str(row["fingerprint"])))
        ids = self._ids(connection, schema.kinds, ("fingerprint",), [(print_,) for print_ in prints.values()])
        return {kind: ids[print_,] for kind, print_ in prints.items()}

    def _ids(
        self, connection: Connection, table: Any, names: Sequence[str], wanted: Collection[Key],
        others: Mapping[str, Any] = MappingProxyType({}),
    ) -> dict[Key, int]:  # fmt: skip
        """The numbers of rows by their names; who is not there yet is added, with the ``others`` among its columns."""
        known = self._known.setdefault(table.name, {})
        unknown = sorted({key for key in wanted if key not in known})
        if len(known) + len(unknown) > _REMEMBERED:
            known.clear()
            unknown = sorted(set(wanted))
        for begin in range(0, len(unknown), _AT_ONCE):
            some = unknown[begin : begin + _AT_ONCE]
            found = _find(connection, table, names, some)
            new = [{**dict(zip(names, key, strict=True)), **others} for key in some if key not in found]
            if new:
                statements.add_rows(connection, table, new)
                found = _find(connection, table, names, some)
            known.update(found)
        return {key: known[key] for key in wanted}


def _find(connection: Connection, table: Any, names: Sequence[str], keys: Sequence[Key]) -> dict[Key, int]:
    columns = [table.c[name] for name in names]
    wanted = tuple_(*columns).in_(keys) if len(columns) > 1 else columns[0].in_([key[0] for key in keys])
    return {tuple(row[1:]): row[0] for row in connection.execute(select(table.c.id, *columns).where(wanted))}


def _fingerprint(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()
