"""The audit log: who did what, when, chained by hashes."""

from dataclasses import asdict

from fastapi import APIRouter
from pydantic import BaseModel, Field

from fleet import audit
from fleet.access import Role, requires
from fleet.api.asking import Limit, Page, Reading, WholeFleet, page_of
from fleet.api.caching import Revalidated
from fleet.api.cursors import After, Cursor, Number
from fleet.api.problems import responses

router = APIRouter(tags=["audit"], route_class=Revalidated, dependencies=[WholeFleet, requires(Role.OPERATOR)])

_CURSOR = Cursor("audit", Number)


class AuditEntry(BaseModel):
    """One thing that was done."""

    seq: int
    at: str
    who: str
    action: str
    subject: str
    digest: str | None
    detail: str = Field(description="JSON, as it stands in the hash.")
    before: str = Field(description="The hash of the entry before.")
    hash: str


@router.get("/audit", operation_id="listAudit", responses=responses(400, 403, 422))
def list_audit(connection: Reading, limit: Limit = 100, after: After = None) -> Page[AuditEntry]:
    """What was done to rollouts and models, the newest first."""
    found = audit.entries(connection, limit + 1, below=_CURSOR.read(after))
    entries = [AuditEntry(**asdict(entry)) for entry in reversed(found)]
    return page_of(entries, limit, _CURSOR, lambda entry: entry.seq)
