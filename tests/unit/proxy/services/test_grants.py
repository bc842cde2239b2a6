"""Granting, extending, revoking: who, to whom, for how long, and that every act is on the record."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from policies.vocabulary import Role
from proxy.record import ledger
from proxy.services import accounts, devices, grants
from proxy.services.errors import BadInput, Conflict, NotPermitted, Refused, UnknownName
from proxy.services.grants import GrantView
from proxy.store.models import AuthorisationRow, Group, LedgerPersonal, LedgerRow
from proxy.store.queries import latch_ended

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
type Grant = Callable[..., GrantView]


@pytest.fixture
def grant(school, head, now, policy, catalogue) -> Grant:
    """Grant in a unit of its own; all but what is said is in order."""

    def grant(actor=head, **changes) -> GrantView:
        fields = {"who": "address:10.20.0.10", "target": "facebook", "reason": "open day posts", "now": now}
        fields |= {"starts_at": now, "ends_at": now + HOUR, "policy": policy, "catalogue": catalogue}
        with school.write() as session:
            return grants.grant(session, actor, **{**fields, **changes})

    return grant


@pytest.fixture
def owned(school, tech, now, policy):
    """A device of the head's, in a group; one of nobody's; an empty group."""
    with school.write() as session:
        add = devices.add_device
        add(
            session,
            tech,
            name="laptop",
            addresses=["10.20.0.7", "10.99.1.0/28"],
            groups=["leaders"],
            owner="head",
            now=now,
            policy=policy,
        )
        add(session, tech, name="office-3", addresses=["10.20.0.10"], groups=[], owner=None, now=now, policy=policy)
        session.add(Group(name="governors"))


def count(store, of=AuthorisationRow) -> int:
    with store.read() as session:
        return len(session.scalars(select(of)).all())


class TestGranting:
    def test_granted(self, school, grant, now):
        """A grant says who, what, when and why, and is in the ledger with the personal parts apart."""
        view = grant()
        assert view == GrantView(
            id=view.id,
            who="address:10.20.0.10",
            target="facebook",
            starts_at=now,
            ends_at=now + HOUR,
            state="live",
            reason="open day posts",
            granted_by="head",
            granted_at=now,
            revoked_at=None,
            revoked_by=None,
        )
        with school.read() as session:
            row = session.scalars(select(LedgerRow)).one()
            assert row.act == "grant"
            assert "10.20.0.10" not in row.body
            clear = {p.field: p.value for p in session.scalars(select(LedgerPersonal))}
            assert clear == {"actor": '"head"', "who": '"address:10.20.0.10"', "reason": '"open day posts"'}
            assert ledger.verify(session).intact

    def test_overlapping_grants_stand(self, grant):
        """Two grants for the same may overlap; each is its own."""
        assert grant().id != grant().id

    def test_what_opens_beside_it(self, grant):
        """A grant says which hosts of others open with it, and not its own."""
        assert grant(target="instagram").opens == ("fbcdn.net", "static.example.net")
        assert grant(target="category:social-network").opens == ("static.example.net",)
        assert grant(target="facebook").opens == ()
        assert grant(target="all").opens == ()

    @pytest.mark.parametrize("by", ["tech", "netops", "staff"])
    def test_only_slt(self, school, grant, request, by):
        """Nobody else grants, and nothing is written."""
        with pytest.raises(NotPermitted, match="Only the senior leadership team may grant"):
            grant(request.getfixturevalue(by))
        assert count(school) == count(school, LedgerRow) == 0

    def test_starts_later(self, grant, now):
        """A grant may start later, as far ahead as the policy says."""
        assert grant(starts_at=now + 30 * DAY, ends_at=now + 30 * DAY + HOUR).state == "future"

    @pytest.mark.parametrize(
        ("starts", "ends", "code"),
        [
            (timedelta(), timedelta(), "ends_before_start"),
            (HOUR, MINUTE, "ends_before_start"),
            (-2 * HOUR, -HOUR, "ends_in_the_past"),
            (-30 * timedelta(seconds=1), timedelta(), "ends_in_the_past"),
            (-2 * MINUTE, HOUR, "starts_in_the_past"),
            (timedelta(), 8 * HOUR + timedelta(seconds=1), "too_long"),
            (30 * DAY + MINUTE, 30 * DAY + HOUR, "too_far_ahead"),
        ],
    )
    def test_limits_of_time(self, school, grant, now, starts, ends, code):
        """What is in the past, too long or too far ahead is refused, in words."""
        with pytest.raises((BadInput, Refused)) as caught:
            grant(starts_at=now + starts, ends_at=now + ends)
        assert caught.value.code == code
        assert count(school) == count(school, LedgerRow) == 0

    def test_just_now_is_now(self, grant, now):
        """A command takes a moment to arrive."""
        assert grant(starts_at=now - timedelta(seconds=59)).state == "live"

    def test_naive_times(self, grant, now):
        """A time without a zone is no time."""
        with pytest.raises(BadInput, match="offset or a zone"):
            grant(ends_at=now.replace(tzinfo=None) + HOUR)

    def test_the_longest(self, grant, now):
        """Exactly as long as the policy allows is allowed; the error says how long that is."""
        grant(ends_at=now + 8 * HOUR)
        with pytest.raises(Refused, match="last 8h in total, and this would last 8h30m"):
            grant(ends_at=now + 8 * HOUR + 30 * MINUTE)

    @pytest.mark.parametrize("reason", ["", "short", "\u200b" * 20, "x" * 501])
    def test_reasons(self, school, grant, reason):
        """A reason is as long as the policy asks, not counting what nobody sees, and fits a page."""
        with pytest.raises(BadInput):
            grant(reason=reason)
        assert count(school) == 0

    def test_a_reason_is_made_safe(self, grant):
        """Lines and controls do not reach the record or a terminal: these are joined, those refused."""
        assert grant(reason="open\nday posts").reason == "open day posts"
        with pytest.raises(BadInput, match=r"character 9 is U\+001B, a control character"):
            grant(reason="open day\x1b[2J posts")


@pytest.mark.usefixtures("owned")
class TestSubjects:
    @pytest.mark.parametrize(
        ("who", "meant"),
        [
            ("person:j.smith", "person:j.smith"),
            ("J.Smith", "person:j.smith"),
            ("device:office-3", "device:office-3"),
            ("office-3", "device:office-3"),
            ("10.20.0.10", "address:10.20.0.10"),
            ("::ffff:10.20.0.10", "address:10.20.0.10"),
            ("address:10.20.9.0/24", "address:10.20.9.0/24"),
            ("10.20.9.0/24", "address:10.20.9.0/24"),
            ("2001:db8::1", "address:2001:db8::1"),
            ("network:guest", "network:guest"),
            ("group:governors", "group:governors"),
        ],
    )
    def test_who_is_meant(self, grant, deputy, who, meant):
        """A bare name is a person, then a device; an address is itself."""
        assert grant(deputy, who=who).who == meant

    @pytest.mark.parametrize(
        ("who", "hint"),
        [
            ("j.smth", "Did you mean j.smith?"),
            ("person:j.smth", "Did you mean j.smith?"),
            ("office-33", "Did you mean office-3?"),
            ("device:nothing-like-it", "Write person:NAME"),
            ("persn:j.smith", "Did you mean j.smith?"),
            ("office/3", "office-3"),
            ("bea", "Write person:NAME"),
            ("group:governor", "Did you mean governors?"),
            ("network:guets", "Did you mean guest"),
        ],
    )
    def test_somebody_unknown(self, school, grant, who, hint):
        """Who is not there is not granted anything; near names are suggested."""
        with pytest.raises(UnknownName) as caught:
            grant(who=who)
        assert hint in caught.value.hint
        assert count(school) == 0

    @pytest.mark.parametrize(
        "who", ["", "  ", "person:", "address:office-3", "10.20.0.10/24", "10.20.0.999", "x" * 10000]
    )
    def test_nobody(self, grant, who):
        """What names nobody is refused with what would."""
        with pytest.raises((BadInput, UnknownName)) as caught:
            grant(who=who)
        assert caught.value.hint
        assert len(caught.value.message) < 150

    def test_both_a_person_and_a_device(self, school, grant, deputy, tech, now, policy):
        """A name that is both is the person, and the device is mentioned."""
        with school.write() as session:
            named = {"name": "j.smith", "addresses": ["10.20.0.77"], "groups": [], "owner": None}
            devices.add_device(session, tech, **named, now=now, policy=policy)
        view = grant(deputy, who="j.smith")
        assert view.who == "person:j.smith"
        assert "device:j.smith" in view.notes[0]

    def test_a_disabled_person(self, school, grant, head, now):
        """Nothing is granted to a closed account."""
        with school.write() as session:
            accounts.set_enabled(session, head, name="j.smith", enabled=False, now=now)
        with pytest.raises(Refused, match="disabled"):
            grant(who="j.smith")

    @pytest.mark.parametrize(
        "who",
        [
            "head",
            "person:head",
            "device:laptop",
            "laptop",
            "10.20.0.7",
            "10.20.0.0/24",
            "10.99.1.5",
            "0.0.0.0/0",
            "group:leaders",
            "network:estate",
            "network:guest",
        ],
    )
    def test_nobody_grants_to_themselves(self, school, grant, deputy, who):
        """Not to oneself, nor to a device, address, group or network of one's own; another of SLT may."""
        with pytest.raises(Refused) as caught:
            grant(who=who)
        assert caught.value.code == "own_grant"
        assert count(school) == 0
        grant(deputy, who=who)

    def test_a_group_one_is_in(self, school, grant, head, deputy, now):
        """A group with the granter in it is the granter's own."""
        with school.write() as session:
            accounts.add_person(
                session,
                head,
                name="second",
                display_name="S",
                role=Role.SLT,
                password=None,
                now=now,
                groups_of=["board"],
            )
        second = accounts.Actor("second", "S", Role.SLT)
        with pytest.raises(Refused, match="has you or a device of yours in it"):
            grant(second, who="group:board")
        grant(deputy, who="group:board")

    def test_a_network_of_somebody_elses(self, grant, deputy):
        """A network is one's own by where one's devices are, the narrowest network counting."""
        assert grant(deputy, who="network:estate").who == "network:estate"


class TestTargets:
    @pytest.mark.parametrize("target", ["facebook", "FaceBook", "category:forum", "domain:m.facebook.com", "all"])
    def test_there(self, grant, target):
        """Services, categories, domains and everything."""
        assert grant(target=target).target == target.lower()

    @pytest.mark.parametrize(
        ("target", "hint"),
        [("facebok", "Did you mean facebook?"), ("category:forums", "Did you mean forum?"), ("zzz", "catalogue list")],
    )
    def test_unknown(self, school, grant, target, hint):
        """What is not in the catalogue is not opened; near names are suggested."""
        with pytest.raises(UnknownName) as caught:
            grant(target=target)
        assert hint in caught.value.hint
        assert count(school) == 0

    @pytest.mark.parametrize("target", ["", "all:x", "domain:", "domain:10.0.0.1", "domain:a..b", "host:x", "x" * 9999])
    def test_no_target(self, grant, target):
        """What is no target is refused shortly, with what would be one."""
        with pytest.raises((BadInput, UnknownName)) as caught:
            grant(target=target)
        assert caught.value.hint
        assert len(caught.value.message) < 400

    @pytest.mark.parametrize(
        "target", ["tunnel", "category:circumvention", "domain:tunnel.example", "domain:a.tunnel.example", "chat"]
    )
    def test_locked(self, school, grant, target):
        """What the policy locks nobody opens; the clause is named."""
        with pytest.raises(Refused, match="no authorisation opens it") as caught:
            grant(target=target)
        assert "section" in caught.value.message
        assert count(school) == 0

    @pytest.mark.parametrize("target", ["domain:com", "domain:co.uk", "domain:blogs.example"])
    def test_too_wide(self, school, grant, target):
        """A domain that is everybody's, or above several services, would open more than it names."""
        with pytest.raises((BadInput, Refused)):
            grant(target=target)
        assert count(school) == 0

    def test_a_domain_in_no_service(self, grant):
        """A domain that the catalogue does not know may be granted, and that is said."""
        assert "in no service" in grant(target="domain:example.org").notes[0]


class TestExtending:
    def extend(self, school, actor, grant_id, by, now, policy, reason="it overran"):
        with school.write() as session:
            return grants.extend(session, actor, grant_id, by, reason, now, policy)

    def test_extended(self, school, grant, head, now, policy):
        """The end moves, and the ledger says from where to where."""
        view = self.extend(school, head, grant().id, 30 * MINUTE, now, policy)
        assert view.ends_at == now + 90 * MINUTE
        with school.read() as session:
            body = session.scalars(select(LedgerRow.body).order_by(LedgerRow.seq.desc())).first()
            assert body is not None
            assert (now + HOUR).isoformat() in body
            assert (now + 90 * MINUTE).isoformat() in body

    def test_within_the_longest_in_total(self, school, grant, head, now, policy):
        """Bit by bit is no way past the longest duration."""
        view = grant(ends_at=now + 7 * HOUR)
        self.extend(school, head, view.id, HOUR, now, policy)
        with pytest.raises(Refused) as caught:
            self.extend(school, head, view.id, timedelta(seconds=1), now, policy)
        assert caught.value.code == "too_long"

    @pytest.mark.parametrize("by", [timedelta(), -MINUTE])
    def test_not_by_less(self, school, grant, head, now, policy, by):
        """To end sooner is to revoke."""
        with pytest.raises(BadInput, match="longer than nothing"):
            self.extend(school, head, grant().id, by, now, policy)

    def test_not_past_the_calendar(self, school, grant, head, now, policy):
        """A length that no calendar holds is refused."""
        with pytest.raises(BadInput, match="calendar"):
            self.extend(school, head, grant().id, timedelta.max, now, policy)

    def test_not_once_ended(self, school, grant, head, now, policy):
        """What has ended, by time or by latch, stays ended."""
        view = grant()
        with pytest.raises(Conflict, match="has ended"):
            self.extend(school, head, view.id, MINUTE, now + HOUR, policy)
        with school.write() as session:
            latch_ended(session, now + HOUR)
        with pytest.raises(Conflict, match="has ended"):
            self.extend(school, head, view.id, MINUTE, now, policy)

    def test_only_slt_and_not_for_oneself(self, school, grant, owned, head, deputy, tech, now, policy):
        """Extending is granting: the same people may, and not for themselves."""
        view = grant(deputy, who="laptop")
        with pytest.raises(NotPermitted):
            self.extend(school, tech, view.id, MINUTE, now, policy)
        with pytest.raises(Refused, match="nobody authorises themselves"):
            self.extend(school, head, view.id, MINUTE, now, policy)
        self.extend(school, deputy, view.id, MINUTE, now, policy)


class TestRevoking:
    def revoke(self, school, actor, grant_id, now, reason="finished early"):
        with school.write() as session:
            return grants.revoke(session, actor, grant_id, reason, now)

    def test_revoked(self, school, grant, deputy, now):
        """Any of SLT ends a grant at once, for a reason."""
        view = self.revoke(school, deputy, grant().id, now + MINUTE)
        assert (view.state, view.revoked_at, view.revoked_by) == ("revoked", now + MINUTE, "deputy")
        with school.read() as session:
            assert session.scalars(select(LedgerRow.act).order_by(LedgerRow.seq)).all() == ["grant", "revoke"]

    def test_before_it_starts(self, school, grant, head, now):
        """A grant that is still to come can be taken back."""
        view = grant(starts_at=now + DAY, ends_at=now + DAY + HOUR)
        assert self.revoke(school, head, view.id, now).state == "revoked"

    def test_once(self, school, grant, head, now):
        """A revocation is final; what has ended is not revoked."""
        view = grant()
        with pytest.raises(Conflict, match="has ended"):
            self.revoke(school, head, view.id, now + HOUR)
        self.revoke(school, head, view.id, now)
        with pytest.raises(Conflict, match="was revoked"):
            self.revoke(school, head, view.id, now)

    @pytest.mark.parametrize("number", [0, -1, 99, 2**63, 10**30])
    def test_unknown(self, school, head, now, number):
        """A number that is no grant's is said to be none."""
        with pytest.raises(UnknownName, match=f"no authorisation {number}"):
            self.revoke(school, head, number, now)

    def test_only_slt_with_a_reason(self, school, grant, head, tech, now):
        """Others do not revoke, and nobody without a reason."""
        view = grant()
        with pytest.raises(NotPermitted):
            self.revoke(school, tech, view.id, now)
        with pytest.raises(BadInput):
            self.revoke(school, head, view.id, now, reason="")


class TestListing:
    @pytest.fixture(autouse=True)
    def granted(self, owned, grant, deputy):
        grant(deputy, who="j.smith", reason="posts by Jo Smith")
        grant(deputy, who="office-3", target="instagram")

    def listed(self, school, actor, now, catalogue=None, *, include_ended=False):
        with school.read() as session:
            return grants.list_grants(session, actor, now=now, include_ended=include_ended, catalogue=catalogue)

    def test_what_slt_see(self, school, head, now, catalogue):
        """SLT see all of it, and what opens beside it."""
        first, second = self.listed(school, head, now, catalogue)
        assert (first.who, first.reason, first.granted_by) == ("person:j.smith", "posts by Jo Smith", "deputy")
        assert second.opens == ("fbcdn.net", "static.example.net")

    def test_what_technicians_see(self, school, tech, now):
        """Technicians see devices and addresses, no persons, no reasons, which may name some."""
        views = self.listed(school, tech, now)
        assert [(view.who, view.reason) for view in views] == [(None, None), ("device:office-3", None)]

    def test_what_the_network_team_sees(self, school, netops, now):
        """The network team sees what is open until when, and nobody."""
        for view in self.listed(school, netops, now):
            assert (view.who, view.reason, view.granted_by, view.revoked_by) == (None,) * 4

    def test_what_staff_see(self, school, staff, now):
        """Staff see what was granted to them."""
        assert [view.who for view in self.listed(school, staff, now)] == ["person:j.smith"]

    def test_ended_ones(self, school, head, now):
        """What has ended is shown when asked for."""
        assert self.listed(school, head, now + HOUR) == []
        views = self.listed(school, head, now + HOUR, include_ended=True)
        assert [view.state for view in views] == ["ended", "ended"]
