"""schemathesis asks the API what its document allows, and what it does not, and checks every answer against it."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from fleet.api.application import create_api, describe
from fleet.store import Store
from tests.sim.fleet_filled import filled
from tests.sim.rollout_records import filled as with_models
from tests.unit.test_fleet_rollout_web import served

EXAMPLES = 8
"""For each operation, of requests that are right and of requests that are wrong: the bounded run of every day."""

SCHEMA = schemathesis.openapi.from_dict(describe(create_api(None, None)))  # type: ignore[arg-type]
OPERATIONS = {found.ok().label: found.ok() for found in SCHEMA.get_all_operations()}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """An operator's way to a service over stored data."""
    store = with_models(filled(Store(f"sqlite:///{tmp_path_factory.mktemp('schema') / 'fleet.sqlite'}")), 3)
    with served(store) as opened:
        yield opened
    store.close()


BEYOND_SCHEMA = {"after", "since", "until", "from_hour", "to_hour", "day"}
"""Two of these must fit each other, or what the service gave out: no schema can say so."""

MUST_FIT = {"POST /rollouts", "POST /drift/labels", "POST /alerts/silences"}
"""Bodies whose parts must fit each other likewise: a plan, the two ends of a time, a camera and its device."""


def cases() -> list[tuple[str, GenerationMode]]:
    right = [(label, GenerationMode.POSITIVE) for label in OPERATIONS]
    wrong = [(label, GenerationMode.NEGATIVE) for label, operation in OPERATIONS.items() if takes_anything(operation)]
    return right + wrong


def takes_anything(operation: Any) -> bool:
    return any(True for _ in operation.iter_parameters()) or bool(operation.body)


def excluded(case: schemathesis.Case) -> list[Any]:
    """What one may ask by the schema, and may be refused all the same, as a documented problem."""
    unsaid = BEYOND_SCHEMA & set(case.query or {}) or case.operation.label in MUST_FIT
    return [positive_data_acceptance] if unsaid else []


@pytest.mark.parametrize(("label", "mode"), cases(), ids=lambda part: getattr(part, "value", part))
def test_every_answer_is_as_documented(client: httpx.Client, label: str, mode: GenerationMode) -> None:
    operation = OPERATIONS[label]
    headers = {"Authorization": client.headers["Authorization"]}

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=HealthCheck)
    def ask(case: schemathesis.Case) -> None:
        case.call_and_validate(base_url=f"{client.base_url}/api/v1", headers=headers, excluded_checks=excluded(case))

    ask()
