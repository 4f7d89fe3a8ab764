"""Trait values out of observations, in SQL: an observation holds its values in a row, the trait set names them."""

from typing import Any

from sqlalchemy import BigInteger, Double, Select, and_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from fleet import schema


class at_position(FunctionElement[float]):  # noqa: N801 - read as the function that it is
    """``at_position(numbers, position)``: one of the numbers, counted from 0."""

    type = Double()
    inherit_cache = True


class epoch_s(FunctionElement[float]):  # noqa: N801
    """``epoch_s(moment)``: seconds since 1970."""

    type = Double()
    inherit_cache = True


class whole(FunctionElement[int]):  # noqa: N801
    """``whole(number)``: the integer at or below a number that is not negative."""

    type = BigInteger()
    inherit_cache = True


@compiles(at_position, "postgresql")
def _at_in_array(element: Any, compiler: Any, **how: Any) -> str:
    numbers, position = element.clauses
    return f"({compiler.process(numbers, **how)})[{compiler.process(position, **how)} + 1]"


@compiles(at_position, "sqlite")
def _at_in_json(element: Any, compiler: Any, **how: Any) -> str:
    numbers, position = element.clauses
    return f"json_extract({compiler.process(numbers, **how)}, '$[' || {compiler.process(position, **how)} || ']')"


@compiles(epoch_s, "postgresql")
def _epoch_of_timestamp(element: Any, compiler: Any, **how: Any) -> str:
    return f"extract(epoch FROM {compiler.process(element.clauses, **how)})::double precision"


@compiles(epoch_s, "sqlite")
def _epoch_of_text(element: Any, compiler: Any, **how: Any) -> str:
    return f"((julianday({compiler.process(element.clauses, **how)}) - 2440587.5) * 86400.0)"


@compiles(whole, "postgresql")
def _floor(element: Any, compiler: Any, **how: Any) -> str:
    return f"floor({compiler.process(element.clauses, **how)})::bigint"


@compiles(whole, "sqlite")
def _truncated(element: Any, compiler: Any, **how: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **how)} AS INTEGER)"


VALUE = at_position(schema.observations.c.readings, schema.trait_set_members.c.position).label("value")
"""A value, in a query that joins observations with the members of their trait sets."""

DEVIATION = at_position(schema.observations.c.deviations, schema.trait_set_members.c.position).label("uncertainty")


def trait_values(*columns: Any) -> Select[Any]:
    """Every value of every observation: one row for each member of its trait set."""
    observations, members, kinds = schema.observations, schema.trait_set_members, schema.kinds
    joined = observations.join(members, and_(members.c.trait_set_id == observations.c.trait_set_id)).join(kinds)
    return select(*columns).select_from(joined)
