"""Alerts: what needs somebody, what did, and what is silenced."""

from datetime import datetime, timedelta, timezone
from operator import eq, ge, lt
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from edge.contract.message import Instant, Name
from fleet import schema
from fleet.access import Principal, Role, requires
from fleet.alerts import book
from fleet.alerts.book import MAX_SILENCE, Silence
from fleet.alerts.rules import Rule, Subject
from fleet.alerts.standing import Alert, State
from fleet.api.asking import Limit, Page, Reading, Seen, Since, Until, in_utc, narrowed, page_of, store_of
from fleet.api.caching import Revalidated
from fleet.api.cursors import After, Cursor, Number
from fleet.api.problems import responses
from fleet.errors import PlanError
from fleet.questions import paged

router = APIRouter(tags=["alerts"], route_class=Revalidated)

_PAST = Cursor("past alerts", tuple[Instant, Number])
_STANDING = Cursor("alerts", tuple[str, str, str, str])

Site = Annotated[Name | None, Query(description="This site only.")]
Operator = Annotated[Principal, requires(Role.OPERATOR)]


class OneSilence(BaseModel):
    """Nobody is told of what it matches until it ends; null matches everything."""

    rule: Rule | None
    site: str | None
    device: str | None
    camera: str | None
    until: datetime
    why: str
    who: str


class Standing(BaseModel):
    """An alert as it stands."""

    rule: Rule
    site: Name
    device: Name
    camera: str | None = Field(description="null: it is about the device.")
    state: State = Field(description="pending: not long enough yet; clearing: it may be over, and fires until it is.")
    value: float = Field(description="In the rule's own unit.")
    told: str
    since: datetime = Field(description="When the state began.")
    raised_at: datetime | None = Field(description="When it began to fire.")
    silence: OneSilence | None = Field(description="What keeps it quiet.")


class Past(BaseModel):
    """An alert that is over."""

    rule: Rule
    site: Name
    device: Name
    camera: str | None
    told: str
    raised_at: datetime
    cleared_at: datetime


class Hushing(BaseModel):
    """What shall be quiet, and until when. A silence that names neither site nor rule is one of everything."""

    model_config = ConfigDict(extra="forbid")

    rule: Rule | None = None
    site: Name | None = Field(default=None, examples=["north"])
    device: Name | None = Field(default=None, description="Only with a site.", examples=["bench-1"])
    camera: Name | None = Field(default=None, description="Only with a device.")
    hours: Annotated[float, Field(ge=0.01, le=MAX_SILENCE / timedelta(hours=1))] = Field(examples=[8])
    why: Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00]*$")] = Field(examples=["rebuilt"])


@router.get("/alerts", operation_id="listAlerts", responses=responses(400, 422))
def list_alerts(
    connection: Reading, scope: Seen, site: Site = None, limit: Limit = 100, after: After = None
) -> Page[Standing]:
    """Every alert as it stands, by rule and place."""
    place, now = _STANDING.read(after), datetime.now(timezone.utc)
    quiet = book.silences(connection, now)
    found = [
        alert
        for subject, alert in sorted(book.standing(connection).items(), key=lambda one: _place(one[0]))
        if scope.admits(subject.site) and site in {None, subject.site} and (place is None or _place(subject) > place)
    ]
    page = page_of(found[: limit + 1], limit, _STANDING, lambda alert: _place(alert.subject))
    return Page(items=[_standing(alert, quiet, now) for alert in page.items], next=page.next)


def _place(subject: Subject) -> tuple[str, str, str, str]:
    return subject.rule.value, subject.site, subject.device, subject.camera


def _standing(alert: Alert, quiet: list[Silence], now: datetime) -> Standing:
    silence = next((each for each in quiet if each.covers(alert.subject, now)), None)
    subject = alert.subject
    return Standing(
        rule=subject.rule, site=subject.site, device=subject.device, camera=subject.camera or None, state=alert.state,
        value=alert.value, told=alert.told, since=alert.since, raised_at=alert.raised_at,
        silence=silence and OneSilence.model_validate(silence, from_attributes=True),
    )  # fmt: skip


@router.get("/alerts/past", operation_id="listPastAlerts", responses=responses(400, 422))
def list_past(
    connection: Reading,
    scope: Seen,
    site: Site = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    after: After = None,
) -> Page[Past]:
    """Alerts that are over, those that ended last first."""
    table = schema.past_alerts
    conditions = narrowed(
        scope,
        table.c.site,
        (table.c.site, eq, site),
        (table.c.cleared_at, ge, in_utc(since)),
        (table.c.cleared_at, lt, in_utc(until)),
    )
    rows = paged.past_alerts(connection, conditions, _PAST.read(after), limit + 1)
    page = page_of(rows, limit, _PAST, lambda row: (row["cleared_at"], row["id"]))
    return Page(items=[Past(**{**row, "camera": row["camera"] or None}) for row in page.items], next=page.next)


@router.get("/alerts/silences", operation_id="listSilences")
def list_silences(connection: Reading, scope: Seen) -> list[OneSilence]:
    """Those that still hold, by their end; at most a thousand."""
    found = book.silences(connection, datetime.now(timezone.utc))
    return [
        OneSilence.model_validate(one, from_attributes=True)
        for one in found
        if one.site is None or scope.admits(one.site)
    ]


@router.post(
    "/alerts/silences",
    operation_id="silenceAlerts",
    status_code=201,
    responses=responses(400, 403, 404, 413, 415, 422),
)
def add_silence(request: Request, wanted: Hushing, scope: Seen, principal: Operator) -> OneSilence:
    """Keep quiet for a while."""
    if scope.sites is not None and (wanted.site is None or not scope.admits(wanted.site)):
        raise HTTPException(403, f"name one of your sites: {', '.join(sorted(scope.sites))}")
    if (wanted.device and not wanted.site) or (wanted.camera and not wanted.device):
        raise PlanError("a device is named with its site, and a camera with its device")
    now = datetime.now(timezone.utc)
    silence = Silence(
        now + timedelta(hours=wanted.hours), wanted.why, principal.name, wanted.rule, wanted.site, wanted.device,
        wanted.camera,
    )  # fmt: skip
    with store_of(request).writing() as connection:
        book.silence(connection, silence, now)
    return OneSilence.model_validate(silence, from_attributes=True)
