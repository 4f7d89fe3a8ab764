"""What every page has in common: its templates, what they can say, and the frame around them."""

from datetime import datetime, timezone
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from fleet.access import Role, visit
from fleet.pages import wording

PAGES = (("/", "Overview"), ("/drift", "Drift"), ("/rollouts", "Rollouts"), ("/alerts", "Alerts"))
"""Path and name of what the navigation leads to."""


@cache
def environment() -> Environment:
    """The pages' templates: what a device says is text in them, never markup."""
    made = Environment(
        loader=PackageLoader("fleet"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters |= {"number": wording.count_text, "size": wording.size, "words": _words}
    made.globals |= {"age": wording.age, "visit": visit, "may_operate": _may_operate, "pages": PAGES}
    return made


def draw(template: str, *, receiving: bool, now: datetime | None = None, **content: Any) -> str:
    """A page as HTML. ``receiving``: whether messages can arrive and are stored."""
    now = now or datetime.now(timezone.utc)
    return environment().get_template(template).render(now=now, receiving=receiving, **content)


def _may_operate() -> bool:
    found = visit().principal
    return found is not None and found.role >= Role.OPERATOR


def _words(name: str | None) -> str:
    """An identifier as people say it."""
    return (name or "unknown to this release").replace("_", " ")
