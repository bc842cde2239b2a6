"""Importing people and devices from a table: each line's fate, and all of it or nothing.

A line adds what is not there, changes what is otherwise, and leaves alone what is the same, so that importing a file
again changes nothing. What the table has no column for stays as it is; whoever is not in it stays. Everything that is
wrong is told at once. What only SLT may let happen waits for them, line by line (``changes``); the rest is done.

A writer is alone with the store, so whatever can be worked out before is: a table is planned in a unit that reads, and
only what is not so already is carried out, in one that writes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import IO, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from policies.model import Policy
from policies.vocabulary import Role
from proxy.services import accounts, changes, devices
from proxy.services.access import OwnGrant, Widens, judged, named
from proxy.services.errors import ServiceError
from proxy.services.holdings import Gain
from proxy.services.lines import Plan, plan_device, plan_person
from proxy.services.permission import Actor, permitted
from proxy.services.tables import Row, read
from proxy.store.models import Generation, Person

BATCH = 100  # lines under one savepoint

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


@dataclass(frozen=True, slots=True)
class Kind:
    """What a table is about: its columns, what is there already, and how a line is planned."""

    name: str
    several: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    there: Callable[[Session, Actor], Sequence[Any]]
    plan: Callable[[Row, Mapping[str, Any]], Plan]


PEOPLE = Kind(
    "person", "people", ("name", "display_name", "role"), ("groups", "enabled"), accounts.list_people, plan_person
)
DEVICES = Kind("device", "devices", ("name", "addresses"), ("groups", "owner"), devices.list_devices, plan_device)


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it was read, and what its lines ask for of the store as it was at its ``generation``."""

    kind: Kind
    rows: Sequence[Row]
    plans: Mapping[int, Plan]
    errors: Mapping[int, str]
    generation: int

    @property
    def changes(self) -> bool:
        """Whether any line asks for something that is not so already."""
        return any(plan.act for plan in self.plans.values())

    def fates(self, errors: Mapping[int, str], waiting: Mapping[int, Sequence[Gain]]) -> list[LineView]:
        """Each line's. Raises ImportRefused where there are errors."""
        lines = [_line(row, self.plans.get(row.line), errors, waiting.get(row.line)) for row in self.rows]
        if errors:
            raise ImportRefused(lines)
        return lines


def plan_people(session: Session, actor: Actor, file: IO[bytes]) -> Table:
    """What the lines of a table of people ask for, in a unit that reads. Raises BadInput for what is no table."""
    permitted(session, actor, Role.SLT, Role.TECHNICIAN, to="import people")
    return _planned(session, actor, PEOPLE, list(read(file, required=PEOPLE.required, optional=PEOPLE.optional)))


def plan_devices(session: Session, actor: Actor, file: IO[bytes]) -> Table:
    """Likewise of devices."""
    permitted(session, actor, Role.SLT, Role.TECHNICIAN, to="import devices")
    return _planned(session, actor, DEVICES, list(read(file, required=DEVICES.required, optional=DEVICES.optional)))


def carry_out(  # noqa: PLR0913 -- a table, and what it is judged by
    session: Session, actor: Actor, table: Table, *, now: datetime, policy: Policy, progress: Progress = _unseen
) -> list[LineView]:
    """Do what the lines ask for, in a unit that writes. Raises ImportRefused where lines are wrong.

    What was planned holds while the store is as it was; else it is planned again.
    """
    by = permitted(session, actor, Role.SLT, Role.TECHNICIAN, to=f"import {table.kind.several}")
    if table.generation != _generation(session):
        table = _planned(session, actor, table.kind, table.rows)
    return _Import(session, actor, by, now, policy, table, progress, dict(table.errors)).done()


def _planned(session: Session, actor: Actor, kind: Kind, rows: Sequence[Row]) -> Table:
    there = {view.name: view for view in kind.there(session, actor)}
    plans: dict[int, Plan] = {}
    errors: dict[int, str] = {}
    first: dict[str, int] = {}
    for row in rows:
        try:
            plan = kind.plan(row, there)
        except ServiceError as error:
            errors[row.line] = _said(error)
            continue
        if (earlier := first.setdefault(plan.name, row.line)) != row.line:
            errors[row.line] = f"{plan.name} is on line {earlier} already"
            continue
        plans[row.line] = plan
    return Table(kind, rows, plans, errors, _generation(session))


def _generation(session: Session) -> int:
    return session.scalars(select(Generation.number)).one()


@dataclass
class _Import:
    """One table on its way in."""

    session: Session
    actor: Actor
    by: Person
    now: datetime
    policy: Policy
    table: Table
    progress: Progress
    errors: dict[int, str]
    waiting: dict[int, list[Gain]] = field(default_factory=dict)

    def done(self) -> list[LineView]:
        plans = self.table.plans
        self._carry_out([plan for plan in plans.values() if plan.act])
        lines = self.table.fates(self.errors, self.waiting)
        for line, gains in self.waiting.items():
            changes.wait(self.session, self.actor, plans[line].act, plans[line].arguments, gains, self.now)
        return lines

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
                self.errors |= {
                    line: f"{named(gains, self.by.role)}: nobody authorises themselves" for line, gains in wrong.items()
                }
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
        """What is wrong with which of them: tried together, and one by one where that fails."""
        failed: dict[int, ServiceError] = {}
        for start in range(0, len(todo), BATCH):
            batch = todo[start : start + BATCH]
            self.progress(start, len(todo))
            if self._error_of(batch):
                failed |= {plan.line: error for plan in batch if (error := self._error_of([plan]))}
        return failed

    def _error_of(self, plans: Sequence[Plan]) -> ServiceError | None:
        """The first error; then none of them is done."""
        try:
            with self.session.begin_nested():
                for plan in plans:
                    changes.ACTS[plan.act].do(self.session, self.actor, dict(plan.arguments), self.now, self.policy)
        except ServiceError as error:
            return error
        return None

    def _blamed(self, todo: Sequence[Plan], gains: Sequence[Gain]) -> dict[int, list[Gain]]:
        """The lines that gains come from: those that they name; else what moves, and leaves its place to another."""
        found: dict[int, list[Gain]] = {}
        for plan in todo:
            who = f"{self.table.kind.name}:{plan.name}"
            if own := [gain for gain in gains if who in {gain.who, f"person:{gain.benefits}"}]:
                found[plan.line] = own
        moving = [plan for plan in todo if plan.act.startswith("change")]
        return found or {plan.line: list(gains) for plan in moving or todo}


def _line(row: Row, plan: Plan | None, errors: Mapping[int, str], gains: Sequence[Gain] | None) -> LineView:
    name = plan.name if plan else row.cells.get("name", "")
    if plan is None or row.line in errors:
        return LineView(line=row.line, name=name, fate=Fate.ERROR, what=errors[row.line])
    if gains:
        return LineView(line=row.line, name=name, fate=Fate.WAIT, what=f"for SLT: {named(gains)}; {plan.what}")
    fate = Fate.SAME if not plan.act else Fate.ADD if plan.act.startswith("add") else Fate.CHANGE
    return LineView(line=row.line, name=name, fate=fate, what=plan.what)


def _said(error: ServiceError) -> str:
    return " ".join(filter(None, (error.message, error.hint)))
