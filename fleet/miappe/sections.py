"""The sections of MIAPPE 1.1 as tables, with the field names of its template."""

from collections.abc import Iterable, Mapping
from typing import Any

from fleet.brapi.documents import study_id, unit_id
from fleet.questions.variables import Variable, purl

Row = Mapping[str, Any]
Table = list[dict[str, str]]

VERSION = "1.1"


def investigation(title: str, now: str) -> Table:
    """What this is. Who publishes it adds licence, persons and dates."""
    return [
        {
            "Investigation unique ID": f"canopy:{now}",
            "Investigation title": title,
            "Investigation description": "Traits of plants, measured by fixed cameras and a segmentation model",
            "Submission date": now,
            "Public release date": "",
            "License": "",
            "MIAPPE version": VERSION,
            "Associated publication": "",
        }
    ]


def studies(rows: Iterable[Row], title: str) -> Table:
    """A camera is a study."""
    return [
        {
            "Investigation title": title,
            "Study unique ID": study_id(row),
            "Study title": f"{row['site']} {row['device']} {row['camera']}",
            "Study description": "The plots in the picture of one fixed camera, measured all day",
            "Start date of study": row["first_taken_at"].isoformat() if row["first_taken_at"] else "",
            "End date of study": row["last_taken_at"].isoformat() if row["last_taken_at"] else "",
            "Experimental site name": row["site"],
            "Observation unit level hierarchy": "study > plot",
            "Observation unit description": "A place in the picture that holds one plant: a pot, a gutter position",
            "Description of growth facility": "greenhouse",
            "Type of growth facility": "greenhouse",
        }
        for row in rows
    ]


def biological_material(rows: Iterable[Row]) -> Table:
    """What grows there: a crop's name, if anybody said; the botany is for who publishes it."""
    crops = sorted({row["crop"] for row in rows if row["crop"]})
    return [{"Biological material ID": crop, "Organism": "", "Genus": "", "Species": ""} for crop in crops]


def observation_units(rows: Iterable[Row]) -> Table:
    """A plot is an observation unit."""
    return [
        {
            "Study unique ID": study_id(row),
            "Observation unit ID": unit_id(row),
            "Observation unit type": "plot",
            "External ID": "",
            "Spatial distribution": f"plot:{row['plot']}; camera:{row['camera']}",
            "Biological material ID": row["crop"] or "",
        }
        for row in rows
    ]


def observed_variables(found: Iterable[Variable]) -> Table:
    """A trait by a method in a unit. A term that only comes near stands in the trait's description."""
    return [_variable(one) for one in found]


def _variable(one: Variable) -> dict[str, str]:
    known = one.trait
    term = known.term if known is not None else None
    exact = known is not None and known.exact
    return {
        "Variable ID": one.id,
        "Variable name": one.name,
        "Trait": one.trait_name,
        "Trait description": (known.definition if known else "")
        + (f" (related: {term})" if term and not exact else ""),
        "Trait accession number": term if term and exact else "",
        "Trait entity accession number": known.entity if known else "",
        "Method": one.method or "not told",
        "Method description": f"{one.method}; one standard deviation: {known.uncertainty or 'none'}" if known else "",
        "Reference associated to the method": "",
        "Scale": one.unit or "not known",
        "Scale accession number": purl(one.unit_term) if one.unit_term else "",
        "Time scale": "ISO 8601 date and time, UTC",
    }


def data_files(names: Iterable[tuple[str, str]]) -> Table:
    """Which study's data stand in which file."""
    return [
        {
            "Study unique ID": study,
            "Data file link": name,
            "Data file description": "A row for each observation of a unit, a column for each observed variable; "
            "an empty cell has no value, and Outcome says why",
            "Data file version": "1",
        }
        for study, name in names
    ]


def events(rows: Iterable[Row]) -> Table:
    """What happened to the cameras and their models."""
    return [
        {
            "Study unique ID": study_id(row) if row["camera"] else f"{row['site']}:{row['device']}",
            "Event type": row["kind"] or "unknown",
            "Event description": " ".join(row["message"].split()),
            "Event date": row["happened_at"].isoformat(),
        }
        for row in rows
    ]
