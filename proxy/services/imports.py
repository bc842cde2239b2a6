"""Importing people and devices from a table: each line's fate, and all of it or nothing.

A line adds what is not there, changes what is otherwise, and leaves alone what is the same, so that importing a file
again changes nothing. What the table has no column for stays as it is; whoever is not in it stays. Everything that is
wrong is told at once. What only SLT may let happen waits for them, line by line (``changes``); the rest is done.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import IO

from sqlalchemy.orm import Session

from policies.model import Policy
from policies.vocabulary import Role
from proxy.services import changes
from proxy.services.access import OwnGrant, Widens, judged, named
from proxy.services.errors import ServiceError
from proxy.services.holdings import Gain
from proxy.services.lines import Plan, plan_device, plan_person
from proxy.services.permission import Actor, permitted
from proxy.services.tables import Row, read
from proxy.store.models import Person

PEOPLE_COLUMNS = ("name", "display_name", "role"), ("groups", "enabled")
DEVICE_COLUMNS = ("name", "addresses"), ("groups", "owner")

type Progress = Callable[[int, int], None]
"""Told how much is done, of how much."""


class Fate(StrEnum):
    """What becomes of a line."""

    ADD = "add"
    CHANGE = "change"
    SAME = "same"
    WAIT = "wait"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineView:
    """A line of the table, and what becomes of it: ``what`` is changed, or wrong, or why it has to wait."""

    line: int
    name: str
    fate: Fate
    what: str


class ImportRefused(ServiceError):
    """Lines are wrong; ``lines`` are all of them, each with its fate. Nothing was imported."""

    def __init__(self, lines: Sequence[LineView]) -> None:
        wrong = sum(line.fate is Fate.ERROR for line in lines)
        said = "1 line is" if wrong == 1 else f"{wrong} lines are"
        super().__init__("import_refused", f"{said} wrong: nothing is imported.", "Correct the file and try again.")
        self.lines = tuple(lines)


def _unseen(_done: int, _total: int) -> None:
    """Nobody watches."""


def import_people(  # noqa: PLR0913 -- a table, and what it is judged by
    session: Session, actor: Actor, file: IO[bytes], *, now: datetime, policy: Policy, progress: Progress = _unseen
) -> list[LineView]:
    """Add and change people as the table says. Raises BadInput for what is no table, ImportRefused for wrong lines."""
    by = permitted(session, actor, Role.SLT, Role.TECHNICIAN, to="import people")
    return _Import(session, actor, by, now, policy, "person", plan_person, progress).of(file, *PEOPLE_COLUMNS)


def import_devices(  # noqa: PLR0913 -- a table, and what it is judged by
    session: Session, actor: Actor, file: IO[bytes], *, now: datetime, policy: Policy, progress: Progress = _unseen
) -> list[LineView]:
    """Add and change devices as the table says. Raises likewise."""
    by = permitted(session, actor, Role.SLT, Role.TECHNICIAN, to="import devices")
    return _Import(session, actor, by, now, policy, "device", plan_device, progress).of(file, *DEVICE_COLUMNS)


@dataclass
class _Import:
    """One table on its way in."""

    session: Session
    actor: Actor
    by: Person
    now: datetime
    policy: Policy
    kind: str
    plan: Callable[[Session, Row], Plan]
    progress: Progress
    errors: dict[int, str] = field(default_factory=dict)
    waiting: dict[int, list[Gain]] = field(default_factory=dict)

    def of(self, file: IO[bytes], required: Sequence[str], optional: Sequence[str]) -> list[LineView]:
        rows = list(read(file, required=required, optional=optional))
        plans = self._plans(rows)
        self._carry_out([plan for plan in plans.values() if plan.act])
        lines = [self._line(row, plans.get(row.line)) for row in rows]
        if self.errors:
            raise ImportRefused(lines)
        for line, gains in self.waiting.items():
            changes.wait(self.session, self.actor, plans[line].act, plans[line].arguments, gains, self.now)
        return lines

    def _plans(self, rows: Sequence[Row]) -> dict[int, Plan]:
        """What each line asks for, of those that can be read."""
        plans: dict[int, Plan] = {}
        first: dict[str, int] = {}
        for row in rows:
            try:
                plan = self.plan(self.session, row)
            except ServiceError as error:
                self.errors[row.line] = _said(error)
                continue
            if (earlier := first.setdefault(plan.name, row.line)) != row.line:
                self.errors[row.line] = f"{plan.name} is on line {earlier} already"
                continue
            plans[row.line] = plan
        return plans

    def _carry_out(self, plans: Sequence[Plan]) -> None:
        """Do them all; if that would open something, again without the lines that would."""
        while todo := [plan for plan in plans if plan.line not in self.waiting]:
            try:
                with self.session.begin_nested(), judged(self.session, self.by, self.now, self.policy):
                    self._do(todo)
            except Widens as widens:
                self.waiting |= self._blamed(todo, widens.gains)
            except OwnGrant as own:
                wrong = self._blamed(todo, own.gains)
                self.errors |= {line: f"{named(gains)}: nobody authorises themselves" for line, gains in wrong.items()}
                return
            else:
                return

    def _do(self, todo: Sequence[Plan]) -> None:
        """One after the other; whose address is still taken is tried again when the others are done."""
        while todo:
            failed = self._failed(todo)
            taken = [plan for plan in todo if plan.line in failed and failed[plan.line].code == "address_taken"]
            again = taken if len(taken) < len(todo) else []
            self.errors |= {line: _said(error) for line, error in failed.items()}
            for plan in again:
                del self.errors[plan.line]
            todo = again

    def _failed(self, todo: Sequence[Plan]) -> dict[int, ServiceError]:
        failed = {}
        for number, plan in enumerate(todo):
            self.progress(number, len(todo))
            if error := self._error_of(plan):
                failed[plan.line] = error
        return failed

    def _error_of(self, plan: Plan) -> ServiceError | None:
        try:
            with self.session.begin_nested():
                changes.ACTS[plan.act].do(self.session, self.actor, dict(plan.arguments), self.now, self.policy)
        except ServiceError as error:
            return error
        return None

    def _blamed(self, todo: Sequence[Plan], gains: Sequence[Gain]) -> dict[int, list[Gain]]:
        """The lines that gains come from: those that they name; else what moves, and leaves its place to another."""
        found: dict[int, list[Gain]] = {}
        for plan in todo:
            who = f"{self.kind}:{plan.name}"
            if own := [gain for gain in gains if who in {gain.who, f"person:{gain.benefits}"}]:
                found[plan.line] = own
        moving = [plan for plan in todo if plan.act.startswith("change")]
        return found or {plan.line: list(gains) for plan in moving or todo}

    def _line(self, row: Row, plan: Plan | None) -> LineView:
        name = plan.name if plan else row.cells.get("name", "")
        if plan is None or row.line in self.errors:
            return LineView(line=row.line, name=name, fate=Fate.ERROR, what=self.errors[row.line])
        if gains := self.waiting.get(row.line):
            return LineView(line=row.line, name=name, fate=Fate.WAIT, what=f"for SLT: {named(gains)}; {plan.what}")
        fate = Fate.SAME if not plan.act else Fate.ADD if plan.act.startswith("add") else Fate.CHANGE
        return LineView(line=row.line, name=name, fate=fate, what=plan.what)


def _said(error: ServiceError) -> str:
    return " ".join(filter(None, (error.message, error.hint)))
