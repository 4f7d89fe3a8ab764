"""Findings as the technician reads them, in 80 columns: the worst at the end, where the eye is."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edge.doctor.finding import Finding, State

MARKS = {
    State.OK: ("✓", "green"),
    State.WARN: ("!", "yellow"),
    State.FAIL: ("✗", "bold red"),
    State.SKIPPED: ("·", "dim"),
}
ORDER = (State.SKIPPED, State.OK, State.WARN, State.FAIL)


def findings_view(findings: list[Finding]) -> RenderableType:
    """One line for each finding, and below what is wrong its mend."""
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in sorted(findings, key=lambda each: ORDER.index(each.state)):
        mark, colour = MARKS[finding.state]
        about = f"{finding.about}: " if finding.about else ""
        dim = "dim" if finding.state is State.SKIPPED else ""
        table.add_row(Text(mark, colour), Text(finding.check, dim or "bold"), Text(f"{about}{finding.found}", dim))
        if finding.mend:
            table.add_row("", "", Text(f"→ {finding.mend}"))
    return Group(table, Text(""), _verdict(findings))


def _verdict(findings: list[Finding]) -> Text:
    failed, warned = (sum(each.state is state for each in findings) for state in (State.FAIL, State.WARN))
    if failed:
        return Text(f"{failed} wrong, {warned} to look at", "bold red")
    return Text(f"{warned} to look at", "yellow") if warned else Text("all is well", "green")
