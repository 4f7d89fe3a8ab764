"""Canopy's things as BrAPI's: a site is program, trial and location; a camera a study; a plot an observation unit.

A ``DbId`` is made of the names that a thing has anyway, joined by colons, which no name holds, as
``north:bench-1:top:R1``. So it is the same on every server that holds the same readings.
"""

import re
from collections.abc import Mapping
from typing import Any

from fleet.questions.variables import ENTITIES, ONTOLOGIES, Variable, purl

Document = dict[str, Any]
Row = Mapping[str, Any]

_CELL = re.compile(r"^R(\d{1,4})C(\d{1,4})$")
LEVELS = [{"levelName": "study", "levelOrder": 0}, {"levelName": "plot", "levelOrder": 1}]


def study_id(row: Row) -> str:
    """Of the study that a camera is."""
    return f"{row['site']}:{row['device']}:{row['camera']}"


def unit_id(row: Row) -> str:
    """Of the observation unit that a plot is."""
    return f"{study_id(row)}:{row['plot']}"


def observation_id(row: Row) -> str:
    """Of a value: the device, the numbering and the number of its record, and its place in it."""
    return f"{row['site']}:{row['device']}:{row['epoch']}:{row['seq']}:{row['position']}"


def site_part(site: str) -> Document:
    """What everything at a site says of it."""
    return {
        "locationDbId": site,
        "locationName": site,
        "programDbId": site,
        "programName": site,
        "trialDbId": site,
        "trialName": site,
    }


def study(row: Row) -> Document:
    """A camera with its plots, as a study."""
    start, end = row["first_taken_at"], row["last_taken_at"]
    place = {key: value for key, value in site_part(row["site"]).items() if not key.startswith("program")}
    return {
        **place,
        "studyDbId": study_id(row),
        "studyName": f"{row['site']} {row['device']} {row['camera']}",
        "studyType": "Phenotyping",
        "studyDescription": "The plots in the picture of one fixed camera, measured all day",
        "commonCropName": row["crop"],
        "active": True,
        "startDate": start.isoformat() if start is not None else None,
        "lastUpdate": {"timestamp": end.isoformat(), "version": "1"} if end is not None else None,
        "observationLevels": LEVELS,
        "observationUnitsDescription": "A place in the picture that holds one plant: a pot, a gutter position",
        "growthFacility": {"description": "greenhouse"},
        "seasons": [],
    }


def unit(row: Row) -> Document:
    """A plot as an observation unit."""
    return {
        **site_part(row["site"]),
        "observationUnitDbId": unit_id(row),
        "observationUnitName": row["plot"],
        "studyDbId": study_id(row),
        "studyName": f"{row['site']} {row['device']} {row['camera']}",
        "observationUnitPosition": {
            "observationLevel": {"levelName": "plot", "levelOrder": 1, "levelCode": row["plot"]},
            "observationLevelRelationships": [
                {"levelName": "study", "levelOrder": 0, "levelCode": study_id(row)},
                {"levelName": "plot", "levelOrder": 1, "levelCode": row["plot"], "observationUnitDbId": unit_id(row)},
            ],
            **_cell(row["plot"]),
        },
        "additionalInfo": {"device": row["device"], "camera": row["camera"], "crop": row["crop"] or ""},
        "treatments": [],
        "externalReferences": [],
    }


def _cell(plot: str) -> Document:
    """``R1C3`` is a cell of a grid; other names say nothing of where they are."""
    found = _CELL.match(plot)
    if found is None:
        return {}
    row, column = found.groups()
    x = {"positionCoordinateX": column, "positionCoordinateXType": "GRID_COL"}
    return x | {"positionCoordinateY": row, "positionCoordinateYType": "GRID_ROW"}


def observation(row: Row) -> Document:
    """A value as an observation. What BrAPI has no field for is text in ``additionalInfo``."""
    variable, year = Variable(row["trait"], row["unit"], row["method"]), row["taken_at"].year
    more = {
        "outcome": row["outcome"] or "",
        "clockOk": str(row["clock_ok"]).lower(),
        "model": row["model"] or "",
        "unit": row["unit"] or "",
        "uncertainty": "" if row["uncertainty"] is None else repr(row["uncertainty"]),
    }
    return {
        "observationDbId": observation_id(row),
        "observationUnitDbId": unit_id(row),
        "observationUnitName": row["plot"],
        "observationVariableDbId": variable.id,
        "observationVariableName": variable.name,
        "observationTimeStamp": row["taken_at"].isoformat(),
        "value": repr(row["value"]),
        "studyDbId": study_id(row),
        "collector": f"canopy {row['site']}/{row['device']}",
        "season": {"seasonDbId": str(year), "seasonName": str(year), "year": year},
        "additionalInfo": more,
        "externalReferences": [],
    }


def variable(found: Variable) -> Document:
    """A variable with its trait, method and scale."""
    return {
        "observationVariableDbId": found.id,
        "observationVariableName": found.name,
        "trait": trait(found),
        "method": method(found),
        "scale": scale(found),
        "status": "recommended" if found.trait is not None else "legacy",
        "language": "en",
        "synonyms": [found.trait.plantcv] if found.trait is not None and found.trait.plantcv else [],
        "contextOfUse": ["Greenhouse phenotyping"],
        "additionalInfo": {"uncertainty": found.trait.uncertainty if found.trait is not None else ""},
        "externalReferences": _references(found),
    }


def trait(found: Variable) -> Document:
    """What is measured. ``traitPUI`` is a term that means just this; a related one stands among the references."""
    known = found.trait
    exact = known is not None and known.exact and known.term is not None
    return {
        "traitDbId": found.trait_name,
        "traitName": found.trait_name,
        "traitDescription": known.definition if known is not None else "not in this release's vocabulary",
        "traitPUI": purl(known.term) if exact and known is not None and known.term else None,
        "entity": ENTITIES.get(known.entity) if known is not None else None,
        "entityPUI": purl(known.entity) if known is not None else None,
        "attribute": known.label if known is not None else found.trait_name,
        "mainAbbreviation": found.trait_name,
        "status": "recommended" if known is not None else "legacy",
        "ontologyReference": _ontology(known.term) if known is not None and known.term else None,
        "externalReferences": _references(found),
    }


def method(found: Variable) -> Document:
    """How it is measured: this text travels with every value."""
    kind = "Counting" if found.unit == "count" else "Measurement"
    return {
        "methodDbId": found.method_id,
        "methodName": found.method or "not told",
        "methodClass": kind,
        "description": found.method,
        "externalReferences": [],
    }


def scale(found: Variable) -> Document:
    """The unit."""
    least, largest = found.bounds
    return {
        "scaleDbId": found.scale_id,
        "scaleName": found.unit or "not known",
        "units": found.unit,
        "dataType": "Numerical",
        "scalePUI": purl(found.unit_term) if found.unit_term else None,
        "validValues": {"minimumValue": least, "maximumValue": largest, "categories": []},
        "externalReferences": [],
    }


def _references(found: Variable) -> list[Document]:
    """The nearest term, and whether it means the same."""
    if found.trait is None or found.trait.term is None:
        return []
    relation = "exact" if found.trait.exact else "related"
    return [
        {"referenceId": purl(found.trait.term), "referenceSource": f"{_ontology_name(found.trait.term)} ({relation})"}
    ]


def _ontology(term: str) -> Document:
    return {"ontologyDbId": term.partition(":")[0], "ontologyName": _ontology_name(term)}


def _ontology_name(term: str) -> str:
    prefix = term.partition(":")[0]
    return ONTOLOGIES.get(prefix, prefix)
