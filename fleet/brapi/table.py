"""Observations as a sparse table: a row for each unit and time, a column for each variable (JSON, CSV or TSV)."""

import csv
import io
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from fleet.brapi.documents import study_id, unit_id
from fleet.questions.variables import Variable

HEADER = ("observationTimeStamp", "observationUnitDbId", "observationUnitName", "studyDbId", "studyName", "year")

Row = dict[str, Any]


def table(rows: Iterable[Row]) -> tuple[list[Variable], list[list[str]]]:
    """The variables, and the lines: what was seen of one unit at one time is one line. ``rows`` are in their order."""
    grouped = [list(group) for _, group in groupby(rows, key=lambda row: (row["stream_id"], row["seq"]))]
    columns = dict.fromkeys(_variable(row) for group in grouped for row in group)
    order = {variable: place for place, variable in enumerate(sorted(columns, key=lambda one: one.id))}
    lines = []
    for group in grouped:
        cells = [""] * len(order)
        for row in group:
            cells[order[_variable(row)]] = repr(row["value"])
        lines.append([*_head(group[0]), *cells])
    return list(order), lines


def as_json(variables: list[Variable], lines: list[list[str]]) -> Row:
    """The result of BrAPI's JSON form."""
    named = [{"observationVariableDbId": one.id, "observationVariableName": one.name} for one in variables]
    return {"headerRow": list(HEADER), "observationVariables": named, "data": lines}


def as_text(variables: list[Variable], lines: list[list[str]], delimiter: str) -> str:
    """Two lines of headings: the ids of the variables, then their names."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow([*HEADER, *(one.id for one in variables)])
    writer.writerow([*("" for _ in HEADER), *(one.name for one in variables)])
    writer.writerows(lines)
    return text.getvalue()


def _variable(row: Row) -> Variable:
    return Variable(row["trait"], row["unit"], row["method"])


def _head(row: Row) -> list[str]:
    at = row["taken_at"]
    name = f"{row['site']} {row['device']} {row['camera']}"
    return [at.isoformat(), unit_id(row), row["plot"], study_id(row), name, str(at.year)]
