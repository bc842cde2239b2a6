"""What comes under each of some grants at one moment, so that two moments can be compared.

* A person comes under a grant to them, or to a group of theirs, while their account is enabled.
* An address comes under a grant to the device that has it, or to a group of that device; the narrowest range counts.
* An owner comes under every grant that covers an address of a device of theirs, be it by that device's name, group,
  address or network, or by those of a narrower device within its range: theirs is the range around that.
* A device of somebody who holds a grant counts as coming under it: it is where they will be thought to use it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from policies.authorisation import Subject, SubjectKind
from policies.index import IPNetwork
from policies.model import Policy
from proxy.services.ground import Plot, Span, plots
from proxy.store.models import AuthorisationRow, Device, DeviceAddress, Group, Membership, Person

type Key = tuple[int, str, str | int]


@dataclass(frozen=True, slots=True)
class Gain:
    """``who`` comes under a grant. ``benefits``: the person whose gain that is; None: nobody's in particular.

    ``of_holder``: it is the device of somebody who holds the grant themselves, so that it tells who does.
    """

    grant: int
    who: str
    benefits: str | None = None
    of_holder: bool = False


@dataclass(frozen=True, slots=True)
class Holdings:
    """What comes under each grant: people, owners and devices by who they are, addresses by where they lie.

    ``owned`` are the ranges that are somebody's, under a grant or not, with what lies in them.
    """

    named: Mapping[Key, Gain]
    ground: Mapping[int, Sequence[Plot["_Device"]]]
    owned: Sequence[Plot["_Device"]]


def holdings(session: Session, grants: Sequence[AuthorisationRow], policy: Policy | None) -> Holdings:
    """What comes under these grants now. Without a policy, nothing comes under a grant to a network."""
    if not grants:
        return Holdings({}, {}, ())
    school = _School.of(session)
    named = {key: gain for grant in grants for key, gain in school.named(grant, policy)}
    ground = {grant.id: school.ground(grant) for grant in grants}
    return Holdings(named, ground, school.owned)


def gained(before: Holdings, after: Holdings) -> list[Gain]:
    """What comes under a grant afterwards, and did not before; each once."""
    gains = {gain for key, gain in after.named.items() if key not in before.named}
    for grant, there in after.ground.items():
        had = {plot.span for plot in before.ground.get(grant, ())}
        for span, device in there:
            if span not in had and span.beyond(tuple(had)):
                theirs = {plot.of.owner for plot in before.owned if plot.span.common(span)}
                gains |= {Gain(grant, f"device:{device.name}", owner) for owner in {device.owner, *theirs}}
    return sorted(gains, key=lambda gain: (gain.grant, gain.who, gain.benefits or ""))


@dataclass(frozen=True, slots=True)
class _Device:
    id: int
    name: str
    owner: str | None
    groups: frozenset[str]


class _School:
    """People, devices and groups as the store has them: read by columns, so that nothing remembered stands in."""

    def __init__(self, people: Mapping[str, frozenset[str]], ranges: Sequence[tuple[IPNetwork, _Device]]) -> None:
        self.people = people  # those whose account is enabled
        self.plots = tuple(plots(ranges))
        self.owned = [Plot(Span.of(network), device) for network, device in ranges if device.owner is not None]
        self.devices = {device.id: device for _, device in ranges}.values()

    @classmethod
    def of(cls, session: Session) -> "_School":
        of_person: defaultdict[int | None, set[str]] = defaultdict(set)
        of_device: defaultdict[int | None, set[str]] = defaultdict(set)
        in_groups = select(Group.name, Membership.person_id, Membership.device_id).join(Membership.group)
        for group, person, device in session.execute(in_groups):
            of_person[person].add(group)
            of_device[device].add(group)
        enabled = session.execute(select(Person.id, Person.name).where(Person.enabled))
        people = {name: frozenset(of_person[id_]) for id_, name in enabled}
        kept = session.execute(
            select(DeviceAddress.network, Device.id, Device.name, Person.name)
            .join(DeviceAddress.device)
            .outerjoin(Device.owner)
        )
        ranges = [
            (ip_network(network), _Device(id_, name, owner, frozenset(of_device[id_])))
            for network, id_, name, owner in kept
        ]
        return cls(people, ranges)

    def named(self, grant: AuthorisationRow, policy: Policy | None) -> Iterator[tuple[Key, Gain]]:
        """Everybody, and every device of a holder, that comes under the grant, each under a key of its own."""
        holders = self._holders(grant)
        for person in holders:
            yield (grant.id, "person", person), Gain(grant.id, f"person:{person}", person)
        for device in self.devices:
            if device.owner in holders:
                yield (grant.id, "device", device.id), Gain(grant.id, f"device:{device.name}", of_holder=True)
        for device in self._covered(grant, policy):
            if device.owner is not None:
                yield (grant.id, "owner", device.owner), Gain(grant.id, f"device:{device.name}", device.owner)

    def ground(self, grant: AuthorisationRow) -> list[Plot[_Device]]:
        """The addresses that come under the grant because of the device that has them."""
        match grant.subject_kind:
            case SubjectKind.DEVICE:
                return [plot for plot in self.plots if plot.of.name == grant.subject_name]
            case SubjectKind.GROUP:
                return [plot for plot in self.plots if grant.subject_name in plot.of.groups]
            case _:
                return []

    def _holders(self, grant: AuthorisationRow) -> frozenset[str]:
        """The people who come under the grant themselves."""
        match grant.subject_kind:
            case SubjectKind.PERSON:
                return frozenset({grant.subject_name} & self.people.keys())
            case SubjectKind.GROUP:
                return frozenset(name for name, groups in self.people.items() if grant.subject_name in groups)
            case _:
                return frozenset()

    def _covered(self, grant: AuthorisationRow, policy: Policy | None) -> list[_Device]:
        """The devices of somebody's that the grant reaches, by the device or by where its ranges lie."""
        match grant.subject_kind:
            case SubjectKind.ADDRESS:
                granted = [Span.of(ip_network(grant.subject_name))]
            case SubjectKind.NETWORK if policy is not None:
                return [plot.of for plot in self.owned if lies_in(plot.span, grant.subject_name, policy)]
            case _:
                granted = [plot.span for plot in self.ground(grant)]
        return [plot.of for plot in self.owned if any(map(plot.span.common, granted))]


def subjects_of(person: Person) -> tuple[Subject, ...]:
    """What a grant may name to mean this person."""
    groups = (Subject(SubjectKind.GROUP, membership.group.name) for membership in person.memberships)
    return (Subject(SubjectKind.PERSON, person.name), *groups)


def spans_of(session: Session, *devices: ColumnElement[bool]) -> list[Span]:
    """The addresses that are theirs: those in a narrower range of another device are not."""
    theirs = set(session.scalars(select(Device.id).where(*devices)))
    kept = session.execute(select(DeviceAddress.network, DeviceAddress.device_id)).all()
    return [plot.span for plot in plots((ip_network(network), of) for network, of in kept) if plot.of in theirs]


def lies_in(span: Span, network: str, policy: Policy) -> bool:
    """Whether an address of these is in the policy's network of that name."""
    laid = tuple(plots((addresses, n.name) for n in policy.networks.values() for addresses in n.addresses))
    if any(span.common(plot.span) for plot in laid if plot.of == network):
        return True
    return network == policy.unknown_network and span.beyond(tuple(plot.span for plot in laid))
