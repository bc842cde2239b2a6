"""Who may do what: every act of the services against every role, and the same table in the documentation.

An act is a public function that is told who acts. One that is missing from the table fails the test. Somebody whose
account is disabled, whatever their role, and somebody who is not there may do nothing at all.
"""

import importlib
import inspect
import io
import pkgutil
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

import proxy.services
from policies.vocabulary import Role
from proxy.services import accounts, attempts, browsing, changes, devices, grants, groups, imports, people
from proxy.services.errors import NotPermitted, UnknownName
from proxy.services.holdings import Gain
from proxy.services.permission import Actor, permitted
from proxy.store.models import Person
from tests.unit.proxy.services.conftest import NOW, PEOPLE

GOOD = "three random words"
HOUR = timedelta(hours=1)
DOCUMENTED = Path(__file__).parents[4] / "docs/people.md"
ROLES = {Role.SLT: "deputy", Role.TECHNICIAN: "tech", Role.NETWORK: "netops", Role.STAFF: "j.smith"}
WAITING_CHANGE, WAITING_OF_TECH, GRANT = 1, 2, 1
PEOPLE_TABLE = b"name,display_name,role\nnew,New,staff\n"
DEVICES_TABLE = b"name,addresses\nnew,10.20.0.77\n"

type Do = Callable[[Session, Actor, dict[str, Any]], Any]


@dataclass(frozen=True)
class Row:
    """What somebody wants to do, the act that does it, and which roles may, in the order of ``ROLES``."""

    words: str
    act: Callable[..., Any]
    may: str
    do: Do


def add_person(role: Role) -> Do:
    said = {"name": "new", "display_name": "New", "role": role, "password": None, "now": NOW}
    return lambda session, by, _: accounts.add_person(session, by, **said)


def set_role(name: str, role: Role) -> Do:
    return lambda session, by, _: accounts.set_role(session, by, name=name, role=role, now=NOW)


def set_password(name: str | None) -> Do:
    return lambda s, by, _: accounts.set_password(s, by, name=name or by.name, password=GOOD, now=NOW)


def set_browsing(name: str | None) -> Do:
    return lambda s, by, _: browsing.set_password(s, by, name or by.name, GOOD, NOW)


def disable(name: str) -> Do:
    return lambda s, by, _: accounts.set_enabled(s, by, name=name, enabled=False, now=NOW)


def with_policy(act: Callable[..., Any], **said: Any) -> Do:
    return lambda s, by, parts: act(s, by, now=NOW, policy=parts["policy"], **said)


def planned(act: Callable[..., Any], text: bytes) -> Do:
    return lambda session, by, _: act(session, by, io.BytesIO(text))


def carried_out(session: Session, by: Actor, parts: dict[str, Any]) -> Any:
    table = imports.plan_people(session, actor_of(Role.TECHNICIAN), io.BytesIO(PEOPLE_TABLE))
    return imports.carry_out(session, by, table, now=NOW, policy=parts["policy"])


def grant(session: Session, by: Actor, parts: dict[str, Any]) -> None:
    window = {"starts_at": NOW, "ends_at": NOW + HOUR, "reason": "open day posts", "now": NOW}
    grants.grant(session, by, who="address:10.20.0.99", target="facebook", **window, **parts)


def rename(session: Session, by: Actor, _: dict[str, Any]) -> None:
    accounts.set_display_name(session, by, name="a.jones", display_name="Al", now=NOW)


def wait(session: Session, by: Actor, _: dict[str, Any]) -> None:
    changes.wait(session, by, "add_device", {"name": "x"}, [Gain(1, "device:x")], NOW)


def submit(act: str, **said: Any) -> Do:
    return lambda s, by, parts: changes.submit(s, by, act, said, NOW, parts["policy"])


YES_NO = {"yes": True, "no": False, "own": True}
# fmt: off
ROWS = [
    Row("sign in", accounts.start_session, "yes yes yes yes", lambda s, by, _: accounts.start_session(s, by, NOW)),
    Row("change one's own password", accounts.set_password, "yes yes yes yes", set_password(None)),
    Row("set one's own browsing password", browsing.set_password, "yes yes yes yes", set_browsing(None)),
    Row("grant", grants.grant, "yes no no no", grant),
    Row("extend a grant", grants.extend, "yes no no no",
        lambda s, by, parts: grants.extend(s, by, GRANT, HOUR, "a little longer", NOW, parts["policy"])),
    Row("revoke a grant", grants.revoke, "yes no no no",
        lambda s, by, _: grants.revoke(s, by, GRANT, "finished early", NOW)),
    Row("see the grants", grants.list_grants, "yes yes yes own",
        lambda s, by, _: grants.list_grants(s, by, now=NOW, include_ended=True)),
    Row("see the attempts", attempts.list_attempts, "yes yes yes own", lambda s, by, _: attempts.list_attempts(s, by)),
    Row("see a person's attempts", attempts.list_attempts, "yes no no no",
        lambda s, by, _: attempts.list_attempts(s, by, person="a.jones")),
    Row("see the accounts", accounts.list_people, "yes yes no no", lambda s, by, _: accounts.list_people(s, by)),
    Row("add a technician, the network team, staff", accounts.add_person, "yes yes no no", add_person(Role.TECHNICIAN)),
    Row("add SLT", accounts.add_person, "yes no no no", add_person(Role.SLT)),
    Row("change the role of any of those", accounts.set_role, "yes yes no no", set_role("a.jones", Role.TECHNICIAN)),
    Row("make somebody SLT", accounts.set_role, "yes no no no", set_role("a.jones", Role.SLT)),
    Row("make SLT somebody else", accounts.set_role, "yes no no no", set_role("head", Role.STAFF)),
    Row("set a person's password", accounts.set_password, "yes yes no no", set_password("a.jones")),
    Row("set the password of SLT", accounts.set_password, "yes no no no", set_password("head")),
    Row("set a person's browsing password", browsing.set_password, "yes yes no no", set_browsing("a.jones")),
    Row("set the browsing password of SLT", browsing.set_password, "yes no no no", set_browsing("head")),
    Row("remove a person's browsing password", browsing.remove_password, "yes yes no no",
        lambda s, by, _: browsing.remove_password(s, by, "a.jones", NOW)),
    Row("disable or enable a person", accounts.set_enabled, "yes yes no no", disable("a.jones")),
    Row("disable or enable SLT", accounts.set_enabled, "yes no no no", disable("head")),
    Row("show a person by another name", accounts.set_display_name, "yes yes no no", rename),
    Row("change a person's groups", groups.change_groups, "yes yes no no",
        lambda s, by, _: groups.change_groups(s, by, name="a.jones", join=["choir"], now=NOW)),
    Row("change the groups of SLT", groups.change_groups, "yes no no no",
        lambda s, by, _: groups.change_groups(s, by, name="head", join=["choir"], now=NOW)),
    Row("change several things of a person", people.change_person, "yes yes no no",
        lambda s, by, _: people.change_person(s, by, name="a.jones", join=["choir"], now=NOW)),
    Row("import people", imports.plan_people, "yes yes no no", planned(imports.plan_people, PEOPLE_TABLE)),
    Row("see the groups", groups.list_groups, "yes yes no no", lambda s, by, _: groups.list_groups(s, by)),
    Row("see the devices", devices.list_devices, "yes yes no own", lambda s, by, _: devices.list_devices(s, by)),
    Row("add a device", devices.add_device, "yes yes no no",
        with_policy(devices.add_device, name="new", addresses=["10.20.0.77"])),
    Row("change a device", devices.change_device, "yes yes no no",
        with_policy(devices.change_device, name="desk", addresses=["10.20.0.77"])),
    Row("remove a device", devices.remove_device, "yes yes no no", with_policy(devices.remove_device, name="desk")),
    Row("import devices", imports.plan_devices, "yes yes no no", planned(imports.plan_devices, DEVICES_TABLE)),
    Row("carry out an import", imports.carry_out, "yes yes no no", carried_out),
    Row("do what widens access", devices.add_device, "yes no no no",
        with_policy(devices.add_device, name="new", addresses=["10.20.0.77"], groups=["suites"])),
    Row("ask for what widens access", changes.submit, "yes yes no no",
        submit("add_device", name="new", addresses=["10.20.0.77"], groups=["suites"])),
    Row("let a change wait", changes.wait, "yes yes no no", wait),
    Row("see the changes that wait", changes.list_changes, "yes yes no no",
        lambda s, by, _: changes.list_changes(s, by, include_decided=True)),
    Row("approve a change", changes.approve, "yes no no no",
        lambda s, by, parts: changes.approve(s, by, WAITING_CHANGE, NOW, parts["policy"])),
    Row("refuse a change", changes.refuse, "yes no no no",
        lambda s, by, _: changes.refuse(s, by, WAITING_CHANGE, "not for visitors", NOW)),
    Row("withdraw a change of one's own", changes.withdraw, "no yes no no",
        lambda s, by, _: changes.withdraw(s, by, WAITING_OF_TECH, NOW)),
]
# fmt: on


@pytest.fixture
def world(school, head, tech, now, policy, catalogue):
    """A grant to a group, changes that wait, somebody who browses, a device of nobody's, one of SLT disabled."""
    with school.write() as session:
        for name, role in (("a.jones", Role.STAFF), ("former", Role.SLT)):
            session.add(Person(name=name, display_name=name, role=role, enabled=name != "former", added_at=now))
        browsing.set_password(session, head, "a.jones", "another three words", now)
        add = {"now": now, "policy": policy}
        devices.add_device(session, tech, name="desk", addresses=["10.20.0.9"], **add)
        devices.add_device(session, tech, name="suite-1", addresses=["10.20.4.0/26"], groups=["suites"], **add)
        window = {"starts_at": now, "ends_at": now + HOUR, "reason": "open day posts", "now": now}
        grants.grant(session, head, who="group:suites", target="all", policy=policy, catalogue=catalogue, **window)
        for number in (1, 2):
            said = {"name": f"new-{number}", "addresses": [f"10.20.8.{number}"], "groups": ["suites"]}
            changes.submit(session, tech, "add_device", said, now, policy)
    return school


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.words)
def test_matrix(world, policy, catalogue, row):
    """Each role does what the table says, and nothing else; the disabled and the unknown do nothing."""
    may = {actor_of(role): YES_NO[cell] for role, cell in zip(ROLES, row.may.split(), strict=True)}
    may |= {Actor("former", "Former", Role.SLT): False, Actor("nobody.here", "Nobody", Role.SLT): False}
    assert {by.name: done(world, row, by, policy, catalogue) for by in may} == {by.name: yes for by, yes in may.items()}


def actor_of(role: Role) -> Actor:
    name = ROLES[role]
    assert PEOPLE[name] is role
    return Actor(name, name.title(), role)


def done(store, row: Row, by: Actor, policy, catalogue) -> bool:
    """Whether the act was permitted; whatever else is wrong with it would be an error of the test."""
    try:
        with store.rehearse() as session:
            row.do(session, by, {"policy": policy, "catalogue": catalogue})
    except NotPermitted:
        return False
    except UnknownName as error:
        if repr(by.name) in error.message:  # somebody who is not there, and would change what is theirs
            return False
        raise
    return True


def acts() -> Iterator[Callable[..., Any]]:
    for found in pkgutil.iter_modules(proxy.services.__path__):
        module = importlib.import_module(f"proxy.services.{found.name}")
        for name, function in vars(module).items():
            public = (
                inspect.isfunction(function) and not name.startswith("_") and function.__module__ == module.__name__
            )
            if public and "actor" in inspect.signature(function).parameters:
                yield function


def test_every_act_is_in_the_table():
    """A new act is tested against every role, or this fails. ``permitted`` is the check itself."""
    assert {row.act for row in ROWS} == set(acts()) - {permitted}


def test_the_table_is_documented():
    """docs/people.md has the same table, row by row; inner steps of an act are not told there."""
    written = re.findall(r"^\| ([^|]+) \| (\w+) \| (\w+) \| (\w+) \| (\w+) \|$", DOCUMENTED.read_text(), re.MULTILINE)
    inner = {"let a change wait", "change several things of a person", "carry out an import"}
    assert [(words, " ".join(cells)) for words, *cells in written] == [
        (row.words, row.may) for row in ROWS if row.words not in inner
    ]
