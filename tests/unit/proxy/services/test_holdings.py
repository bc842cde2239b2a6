"""What a technician does without SLT brings nobody and nothing under a grant: deciding itself is the judge of that."""

from datetime import timedelta
from ipaddress import ip_address

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.authorisation import Subject, SubjectKind
from policies.snapshot import Snapshot
from policies.vocabulary import Role
from proxy.services import changes, devices, grants
from proxy.services.changes import ChangeView
from proxy.services.errors import ServiceError
from proxy.store.queries import snapshot_parts
from tests.unit.proxy.services.conftest import actor

PEOPLE, GROUPS, DEVICES = ("j.smith", "netops"), ("choir", "band"), ("a", "b", "c")
RANGES = ("10.20.4.0/28", "10.20.4.0/30", "10.20.4.1", "10.20.4.2", "10.20.4.8/29", "10.20.4.9", "10.99.0.1")
ADDRESSES = [ip_address(f"10.20.4.{n}") for n in range(16)] + [ip_address("10.99.0.1")]
NOWHERE = ip_address("10.77.0.1")

THERE = (
    ("add_device", {"name": "a", "addresses": ["10.20.4.0/28"], "groups": ["choir"]}),
    ("add_device", {"name": "b", "addresses": ["10.20.4.2"], "owner": "j.smith"}),
    ("change_person", {"name": "j.smith", "join": ["band"]}),
)

some_groups = st.lists(st.sampled_from(GROUPS), max_size=2, unique=True)
some_ranges = st.lists(st.sampled_from(RANGES), min_size=1, max_size=3, unique=True)
owners = st.sampled_from((*PEOPLE, devices.NOBODY))
acts = st.one_of(
    st.tuples(
        st.just("add_device"),
        st.fixed_dictionaries(
            {"name": st.sampled_from(DEVICES), "addresses": some_ranges, "groups": some_groups, "owner": owners}
        ),
    ),
    st.tuples(
        st.just("change_device"),
        st.fixed_dictionaries(
            {"name": st.sampled_from(DEVICES)},
            optional={
                "addresses": some_ranges,
                "owner": owners,
                "join": some_groups,
                "leave": some_groups,
                "rename": st.sampled_from(DEVICES),
            },
        ),
    ),
    st.tuples(st.just("remove_device"), st.fixed_dictionaries({"name": st.sampled_from(DEVICES)})),
    *(
        st.tuples(st.just("change_person"), st.fixed_dictionaries({"name": st.sampled_from(PEOPLE), **said}))
        for said in (
            {"join": some_groups},
            {"leave": some_groups, "role": st.sampled_from((Role.STAFF, Role.TECHNICIAN))},
            {"enabled": st.booleans()},
        )
    ),
)
granted = st.sampled_from(
    [
        *(f"group:{name}" for name in GROUPS),
        *(f"device:{name}" for name in DEVICES),
        *(f"person:{name}" for name in PEOPLE),
        "address:10.20.4.0/29",
        "network:guest",
    ]
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.lists(acts, max_size=6), held=st.lists(granted, min_size=1, max_size=3), then=st.lists(acts, max_size=4)
)
def test_nothing_is_opened_without_slt(school, now, policy, catalogue, before, held, then):
    """Whatever is there, and whatever is done: what did not wait covers nothing that was not covered before."""
    with school.rehearse() as session:

        def attempt(act, said):
            try:
                return changes.submit(session, actor("tech"), act, said, now, policy)
            except ServiceError:
                session.expire_all()
                return None

        def covered():
            parts = snapshot_parts(session, now)
            named = {name: getattr(parts, name) for name in ("authorisations", "devices", "members")}
            snapshot = Snapshot(number=1, confirmed_at=now, policy=policy, catalogue=catalogue, **named)
            asking = [(address, None) for address in ADDRESSES] + [(NOWHERE, person) for person in PEOPLE]
            return {
                (asked, grant.id)
                for asked in asking
                for grant in snapshot.coverage.of(snapshot.who(*asked))
                if grant.revoked_at is None
            }

        for act, said in (*THERE, *before):
            attempt(act, said)
        give(session, held, now, policy, catalogue)
        for act, said in then:
            was = covered()
            result = attempt(act, said)
            assert covered() <= was
            assert not isinstance(result, ChangeView) or covered() == was


def give(session, held, now, policy, catalogue) -> None:
    window = {"starts_at": now, "ends_at": now + timedelta(hours=1), "reason": "open day posts", "now": now}
    for who in held:
        try:
            grants.grant(session, actor("head"), who=who, target="all", policy=policy, catalogue=catalogue, **window)
        except ServiceError:
            assert Subject.parse(who).kind is not SubjectKind.ADDRESS
