"""Observed variables: a trait, a method and a scale, as BrAPI and MIAPPE have them, for every kind of value."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import Connection, select

from edge.contract.traits import UNIT_TERMS, VOCABULARY, Trait, Unit
from fleet import schema

ENTITIES = {"PO:0025034": "leaf", "PO:0009001": "fruit", "PO:0000003": "whole plant"}
ONTOLOGIES = {
    "TO": "Plant Trait Ontology",
    "CO_330": "Crop Ontology, potato",
    "PO": "Plant Ontology",
    "UO": "Units of Measurement Ontology",
}
_SLUGS = {Unit.PER_DAY.value: "per_day"}
_BOUNDS = {Unit.COUNT.value: ("0", None), Unit.FRACTION.value: ("0", "1"), Unit.DEGREE.value: ("0", "360")}


@dataclass(frozen=True)
class Variable:
    """Values of one kind: they may be compared with each other, and with no others."""

    trait_name: str
    unit: str | None
    method: str

    @cached_property
    def trait(self) -> Trait | None:
        """The entry of the vocabulary; None for a trait that this release does not know."""
        return VOCABULARY.get(self.trait_name)

    @property
    def id(self) -> str:
        """``leaf_count:count``; another method than the vocabulary's has its digest behind it."""
        return ":".join((self.trait_name, self.scale_id, *self._method_digest()))

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.trait.label if self.trait else self.trait_name} ({self.unit or 'unit not known'})"

    @property
    def scale_id(self) -> str:
        """The unit, safe in a URL."""
        return _SLUGS.get(self.unit or "", self.unit or "unknown")

    @property
    def method_id(self) -> str:
        """``leaf_count``, or with the digest of another method than the vocabulary's."""
        return ":".join((self.trait_name, *self._method_digest()))

    @property
    def unit_term(self) -> str | None:
        """The unit in the Units of Measurement Ontology, if it has it."""
        return UNIT_TERMS.get(Unit(self.unit)) if self.unit is not None else None

    @property
    def bounds(self) -> tuple[str | None, str | None]:
        """The least and the largest value that the unit allows."""
        return _BOUNDS.get(self.unit or "", (None, None))

    def _method_digest(self) -> Iterable[str]:
        own = self.trait is not None and self.method == self.trait.method
        return () if own else (hashlib.sha256(self.method.encode("utf-8", "replace")).hexdigest()[:8],)


def purl(term: str) -> str:
    """The permanent address of an ontology's term, ``TO:0000241``; Crop Ontology has its own."""
    prefix, _, number = term.partition(":")
    base = "https://cropontology.org/rdf/" if prefix.startswith("CO_") else "http://purl.obolibrary.org/obo/"
    return f"{base}{term}" if prefix.startswith("CO_") else f"{base}{prefix}_{number}"


def vocabulary() -> list[Variable]:
    """Every variable that this release can measure without a calibration."""
    return [Variable(trait.name, trait.unit.value, trait.method) for trait in VOCABULARY.values()]


def known_variables(connection: Connection) -> list[Variable]:
    """The vocabulary's, and those of every other kind of value that was received."""
    table = schema.kinds
    rows = connection.execute(select(table.c.trait, table.c.unit, table.c.method).order_by(table.c.id))
    return list(dict.fromkeys([*vocabulary(), *(Variable(row.trait, row.unit, row.method) for row in rows)]))


def kind_ids(connection: Connection, variable_id: str) -> list[int]:
    """The numbers of the kinds that a variable's id stands for; none if it stands for nothing."""
    table, trait = schema.kinds, variable_id.partition(":")[0]
    rows = connection.execute(select(table).where(table.c.trait == trait))
    return [row.id for row in rows if Variable(row.trait, row.unit, row.method).id == variable_id]
