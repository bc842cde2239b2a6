"""The precedence as a table, and what holds of every decision."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.decision import decide, next_change, refusal, unrecordable
from policies.names import host_name
from policies.snapshot import Device, Member
from policies.vocabulary import Protocol, Reason, Verdict

LESSON = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
BREAK = LESSON.replace(hour=10, minute=30)
SECOND = timedelta(seconds=1)

ESTATE, GUEST, ELSEWHERE = "10.20.0.10", "10.99.0.5", "203.0.113.9"
TILL, INSIDE = "192.0.2.10", "10.1.0.5"
TLS, HTTP, OTHER = Protocol.TLS, Protocol.HTTP, Protocol.OTHER
ALLOW, DENY = Verdict.ALLOW, Verdict.DENY


# Step 0: what cannot be judged by a name


@pytest.mark.parametrize(
    ("attempt", "verdict", "reason"),
    [
        ({"host": None}, DENY, Reason.NO_SERVER_NAME),
        ({"host": None, "protocol": OTHER}, DENY, Reason.NOT_TLS),
        ({"host": None, "protocol": OTHER, "destination": "www.bbc.co.uk", "explicit": True}, DENY, Reason.NOT_TLS),
        ({"host": None, "protocol": HTTP}, DENY, Reason.ADDRESS_LITERAL),
        ({"host": None, "protocol": HTTP, "destination": None}, DENY, Reason.ADDRESS_LITERAL),
        ({"host": "www.bbc.co.uk", "explicit": True, "port": 22}, DENY, Reason.PORT_NOT_ALLOWED),
        ({"host": None, "protocol": OTHER, "explicit": True, "port": 25}, DENY, Reason.PORT_NOT_ALLOWED),
        ({"host": "www.bbc.co.uk", "fault": Reason.MALFORMED}, DENY, Reason.MALFORMED),
        ({"host": "www.bbc.co.uk", "fault": Reason.BAD_CREDENTIALS}, DENY, Reason.BAD_CREDENTIALS),
        ({"host": "www.bbc.co.uk", "fault": Reason.TOO_BUSY}, DENY, Reason.TOO_BUSY),
        # what the policy lists passes without a name, at its ports, unless the client may not ask at all
        ({"host": None, "destination": TILL}, ALLOW, Reason.EXEMPT),
        ({"host": None, "destination": TILL, "protocol": OTHER, "port": 9000}, ALLOW, Reason.EXEMPT),
        ({"host": None, "destination": TILL, "explicit": True, "port": 9000}, ALLOW, Reason.EXEMPT),
        ({"host": None, "destination": TILL, "explicit": True, "port": 9001}, DENY, Reason.PORT_NOT_ALLOWED),
        ({"host": None, "destination": TILL, "fault": Reason.MALFORMED}, ALLOW, Reason.EXEMPT),
        ({"host": None, "destination": TILL, "fault": Reason.BAD_CREDENTIALS}, DENY, Reason.BAD_CREDENTIALS),
        (
            {"host": "mail.example.org", "destination": "mail.example.org", "explicit": True, "port": 993},
            ALLOW,
            Reason.EXEMPT,
        ),
        # but a name that was shown is judged: a listed address opens no service behind it
        ({"destination": TILL}, DENY, Reason.NOT_AUTHORISED),
        ({"destination": TILL, "explicit": True, "port": 9000}, DENY, Reason.NOT_AUTHORISED),
        ({"host": "www.bbc.co.uk", "destination": TILL, "explicit": True, "port": 9000}, ALLOW, Reason.EXEMPT),
        ({"destination": "mail.example.org", "explicit": True, "port": 993}, DENY, Reason.NOT_AUTHORISED),
        # the school's own
        ({"host": "printer.local", "destination": "printer.local", "explicit": True}, ALLOW, Reason.INTERNAL),
        (
            {"host": "printer.local", "destination": "printer.local", "explicit": True, "port": 8443},
            ALLOW,
            Reason.INTERNAL,
        ),
        (
            {"host": None, "destination": INSIDE, "explicit": True, "port": 22, "protocol": OTHER},
            ALLOW,
            Reason.INTERNAL,
        ),
        ({"host": None, "destination": INSIDE, "address": GUEST, "explicit": True}, DENY, Reason.INTERNAL),
        ({"host": "printer.local", "address": GUEST}, DENY, Reason.INTERNAL),
        ({"destination": INSIDE, "explicit": True}, DENY, Reason.NOT_AUTHORISED),
        (
            {"host": "www.bbc.co.uk", "destination": INSIDE, "explicit": True, "port": 8443},
            DENY,
            Reason.PORT_NOT_ALLOWED,
        ),
    ],
)
def test_step_0(judge, attempt, verdict, reason):
    """Nothing judgeable is denied, unless the policy lists the destination; the school's own pass where they may."""
    decision = judge(**attempt)
    assert (decision.verdict, decision.reason) == (verdict, reason)


# Steps 1 to 5: a name


@pytest.mark.parametrize(
    ("host", "address", "at", "verdict", "reason", "rule"),
    [
        ("vpn.example", ESTATE, LESSON, DENY, Reason.LOCKED, "Ways round"),
        ("vpn.example", GUEST, BREAK, DENY, Reason.LOCKED, "Ways round"),
        ("help.facebook.com", ESTATE, LESSON, ALLOW, Reason.EXEMPT, "Help"),
        ("scratch.mit.edu", ESTATE, LESSON, ALLOW, Reason.EXEMPT, "Lessons"),
        ("player.example", ESTATE, LESSON, ALLOW, Reason.EXEMPT, "Clips"),
        ("i.ytimg.com", ESTATE, LESSON, ALLOW, Reason.EXEMPT, "Clips"),
        ("www.youtube.com", ESTATE, LESSON, DENY, Reason.NOT_AUTHORISED, "Estate"),
        ("www.facebook.com", ESTATE, LESSON, DENY, Reason.NOT_AUTHORISED, "Estate"),
        ("www.facebook.com", ESTATE, BREAK, DENY, Reason.NOT_AUTHORISED, "Estate"),
        ("www.facebook.com", ELSEWHERE, BREAK, DENY, Reason.NOT_AUTHORISED, "Estate"),
        ("www.facebook.com", "fd00::5", BREAK, DENY, Reason.NOT_AUTHORISED, "Estate"),
        ("www.facebook.com", "::ffff:10.99.0.5", BREAK, ALLOW, Reason.OUTSIDE_LESSONS, "Own devices"),
        ("www.facebook.com", GUEST, LESSON, DENY, Reason.IN_LESSON, "In lessons"),
        ("www.facebook.com", GUEST, BREAK, ALLOW, Reason.OUTSIDE_LESSONS, "Own devices"),
        ("www.bbc.co.uk", ESTATE, LESSON, ALLOW, Reason.UNLISTED, None),
        ("notfacebook.com", ESTATE, LESSON, ALLOW, Reason.UNLISTED, None),
        ("facebook.com.evil.example", ESTATE, LESSON, ALLOW, Reason.UNLISTED, None),
        ("FACEBOOK.COM.", ESTATE, LESSON, DENY, Reason.NOT_AUTHORISED, "Estate"),
        ("m.facebook.com", ESTATE, LESSON, DENY, Reason.NOT_AUTHORISED, "Estate"),
    ],
)
def test_steps_1_to_5(judge, host, address, at, verdict, reason, rule):
    """Locked, exempt, the rules in order, unlisted: the first that applies."""
    decision = judge(host, address, at=at)
    assert (decision.verdict, decision.reason, decision.rule) == (verdict, reason, rule)


def test_the_guest_network_is_exact_to_the_second(judge):
    """A lesson is half-open: 09:00:00 is in it, 10:00:00 is not."""
    bells = [LESSON.replace(minute=0), LESSON.replace(hour=10, minute=0)]
    reasons = [judge("facebook.com", GUEST, at=at).reason for bell in bells for at in (bell - SECOND, bell)]
    assert reasons == [Reason.OUTSIDE_LESSONS, Reason.IN_LESSON, Reason.IN_LESSON, Reason.OUTSIDE_LESSONS]


@pytest.mark.parametrize(
    ("who", "target", "host", "opened"),
    [
        ("address:10.20.0.10", "facebook", "www.facebook.com", True),
        ("address:10.20.0.11", "facebook", "www.facebook.com", False),
        ("network:estate", "facebook", "www.facebook.com", True),
        ("network:guest", "facebook", "www.facebook.com", False),
        ("device:office-3", "facebook", "www.facebook.com", True),
        ("device:office-4", "facebook", "www.facebook.com", False),
        ("group:governors", "facebook", "www.facebook.com", True),
        ("group:office", "facebook", "www.facebook.com", True),
        ("group:heads", "facebook", "www.facebook.com", False),
        ("person:j.smith", "facebook", "www.facebook.com", True),
        ("person:a.jones", "facebook", "www.facebook.com", False),
        ("network:estate", "instagram", "www.instagram.com", True),
        ("network:estate", "instagram", "static.fbcdn.net", True),
        ("network:estate", "instagram", "www.facebook.com", False),
        ("network:estate", "category:image-sharing", "static.fbcdn.net", True),
        ("network:estate", "category:image-sharing", "www.facebook.com", False),
        ("network:estate", "category:social-network", "www.facebook.com", True),
        ("network:estate", "domain:facebook.com", "m.facebook.com", True),
        ("network:estate", "domain:m.facebook.com", "www.facebook.com", False),
        ("network:estate", "domain:bbc.co.uk", "www.bbc.co.uk", True),
        ("network:estate", "all", "forum.example", True),
        ("network:estate", "all", "vpn.example", False),
        ("network:estate", "domain:vpn.example", "vpn.example", False),
        ("network:estate", "vpn", "vpn.example", False),
        ("network:estate", "category:circumvention", "vpn.example", False),
    ],
)
def test_a_grant_opens_what_it_names(judge, make_snapshot, grant, who, target, host, opened):
    """For whom and what was named, with the hosts a service cannot work without; nothing locked, nothing beside it."""
    snapshot = make_snapshot(
        grant(who, target, id=7),
        devices=(Device("office-3", (ip_network("10.20.0.8/29"),), frozenset({"office"})),),
        members={"j.smith": Member("staff", frozenset({"governors"}))},
    )
    decision = judge(host, snapshot=snapshot, person="j.smith")
    assert (decision.reason is Reason.AUTHORISED) is opened
    assert (decision.authorisation == 7) is opened
    assert decision.allowed is opened


def test_a_name_without_a_member_stands_for_nobody(judge, make_snapshot, grant):
    """A disabled person's grant opens nothing, and their name is still recorded."""
    decision = judge(snapshot=make_snapshot(grant("person:j.smith", "all")), person="j.smith")
    assert (decision.reason, decision.person) == (Reason.NOT_AUTHORISED, "j.smith")


def test_half_open_at_the_exact_instants(judge, make_snapshot, grant):
    """A grant covers its first instant and not its last (law 4)."""
    given_ = grant("network:estate", "facebook")
    tick = timedelta(microseconds=1)
    moments = (given_.starts_at - tick, given_.starts_at, given_.ends_at - tick, given_.ends_at)
    snapshot = make_snapshot(given_, confirmed_at=given_.ends_at)
    reasons = [judge(snapshot=snapshot, at=at).reason for at in moments]
    assert reasons == [Reason.NOT_AUTHORISED, Reason.AUTHORISED, Reason.AUTHORISED, Reason.AUTHORISATION_ENDED]


def test_the_longest_of_several_is_named(judge, grant):
    """Overlapping grants may stand; a decision rests on the one that lasts longest."""
    longer = grant("network:estate", "facebook", id=2, ends_at=LESSON + timedelta(hours=2))
    assert judge("facebook.com", ESTATE, grant("network:estate", "all", id=9), longer).authorisation == 2


@pytest.mark.parametrize(
    ("changes", "after", "reason"),
    [
        ({"revoked_at": LESSON}, SECOND, Reason.AUTHORISATION_REVOKED),
        ({"lapsed_at": LESSON}, timedelta(0), Reason.AUTHORISATION_ENDED),
        ({"ends_at": LESSON}, timedelta(0), Reason.AUTHORISATION_ENDED),
        ({"ends_at": LESSON}, timedelta(days=1) - SECOND, Reason.AUTHORISATION_ENDED),
        ({"ends_at": LESSON}, timedelta(days=1), Reason.NOT_AUTHORISED),
        ({"starts_at": LESSON + 2 * SECOND}, SECOND, Reason.NOT_AUTHORISED),
    ],
)
def test_a_refusal_remembers_for_a_day(judge, grant, changes, after, reason):
    """What ended or was revoked explains the refusal for a day, and names the authorisation."""
    decision = judge("facebook.com", ESTATE, grant("network:estate", "facebook", id=5, **changes), at=LESSON + after)
    assert decision.reason is reason
    assert decision.authorisation == (None if reason is Reason.NOT_AUTHORISED else 5)
    assert decision.clause == "3 ¶1"


def test_a_clock_that_steps_back_reopens_nothing(judge, make_snapshot, grant):
    """An end this process saw is latched, as is one the keeper saw."""
    given_ = grant("network:estate", "facebook", id=5)
    assert judge(snapshot=make_snapshot(given_)).reason is Reason.AUTHORISED
    assert judge(snapshot=make_snapshot(given_, latched=frozenset({5}))).reason is Reason.AUTHORISATION_ENDED


def test_grants_lapse_with_a_snapshot_nobody_vouches_for(judge, make_snapshot, grant):
    """Once the snapshot is as old as the policy allows, grants end; to the second, and what passes still passes."""
    snapshot = make_snapshot(grant("network:estate", "facebook"), confirmed_at=LESSON - timedelta(minutes=15))
    assert judge(snapshot=snapshot, at=LESSON - SECOND).reason is Reason.AUTHORISED
    assert judge(snapshot=snapshot, at=LESSON).reason is Reason.AUTHORISATION_ENDED
    assert judge("www.bbc.co.uk", snapshot=snapshot, at=LESSON).reason is Reason.UNLISTED


def test_roles_in_rules(judge, make_snapshot):
    """A rule for a role is for members with that role."""
    snapshot = make_snapshot(members={"head": Member("slt"), "other": Member("staff")})
    reasons = [judge("forum.example", snapshot=snapshot, person=person).reason for person in ("head", "other", None)]
    assert reasons == [Reason.EXEMPT, Reason.NOT_AUTHORISED, Reason.NOT_AUTHORISED]


# Who has shown who they are


SHOWN = Member("staff", frozenset({"governors"}), browsing="first")


@pytest.mark.parametrize(
    ("members", "person", "credential", "reason"),
    [
        ({"j.smith": SHOWN}, "j.smith", "first", Reason.AUTHORISED),
        ({"j.smith": replace(SHOWN, browsing="second")}, "j.smith", "first", Reason.BAD_CREDENTIALS),
        ({"j.smith": replace(SHOWN, browsing=None)}, "j.smith", "first", Reason.BAD_CREDENTIALS),
        ({}, "j.smith", "first", Reason.BAD_CREDENTIALS),
        ({"other": SHOWN}, "j.smith", "first", Reason.BAD_CREDENTIALS),
        ({"j.smith": SHOWN}, None, "first", Reason.BAD_CREDENTIALS),
        ({"j.smith": replace(SHOWN, groups=frozenset())}, "j.smith", "first", Reason.NOT_AUTHORISED),
        # asked about without a credential, as `why --person` does
        ({"j.smith": replace(SHOWN, browsing=None)}, "j.smith", None, Reason.AUTHORISED),
    ],
)
def test_a_connection_rests_on_its_credential(judge, make_snapshot, grant, members, person, credential, reason):
    """Judged again, it ends with a new or removed password, a disabled account, or a group that was left."""
    snapshot = make_snapshot(grant("group:governors", "facebook"), members=members)
    decision = judge(snapshot=snapshot, person=person, credential=credential)
    assert (decision.reason, decision.person) == (reason, person)
    assert decision.allowed is (reason is Reason.AUTHORISED)


@pytest.mark.parametrize(
    "changes",
    [
        {"host": "www.bbc.co.uk"},
        {"host": "help.facebook.com"},
        {"host": "printer.local"},
        {"host": None, "destination": TILL},
        {"host": None, "destination": INSIDE, "explicit": True},
        {"host": "www.bbc.co.uk", "fault": Reason.MALFORMED},
        {"host": "vpn.example"},
    ],
)
def test_a_credential_that_stands_for_nobody_opens_nothing(judge, make_policy, make_snapshot, changes):
    """Whatever would pass without it, and whatever is observed."""
    snapshot = make_snapshot(policy=make_policy(observe={"estate": "2026-12-18"}))
    decision = judge(**changes, snapshot=snapshot, person="j.smith", credential="first")
    assert (decision.verdict, decision.reason) == (DENY, Reason.BAD_CREDENTIALS)
    assert decision.recorded


@pytest.mark.parametrize(
    ("attempt", "service"),
    [
        ({"fault": Reason.BAD_CREDENTIALS}, "facebook"),
        ({"credential": "old", "person": "j.smith"}, "facebook"),
        ({"explicit": True, "port": 8443}, "facebook"),
        ({"host": None, "destination": "www.facebook.com", "fault": Reason.NO_SERVER_NAME}, "facebook"),
        ({"host": "www.bbc.co.uk", "fault": Reason.BAD_CREDENTIALS}, None),
        ({"host": None, "destination": TILL, "fault": Reason.BAD_CREDENTIALS}, None),
    ],
)
def test_a_fault_names_the_service_all_the_same(judge, attempt, service):
    """An attempt at the catalogue counts as one, whatever else is wrong with it."""
    decision = judge(**attempt)
    assert (decision.verdict, decision.service) == (DENY, service)
    assert (decision.category is not None) is (service is not None)


# Two names


@pytest.mark.parametrize(
    ("asked", "shown", "reason"),
    [
        ("www.bbc.co.uk", "www.bbc.co.uk", Reason.UNLISTED),
        ("www.bbc.co.uk", "news.bbc.co.uk", Reason.NAME_MISMATCH),
        ("www.bbc.co.uk", "www.facebook.com", Reason.NOT_AUTHORISED),
        ("www.facebook.com", "www.bbc.co.uk", Reason.NOT_AUTHORISED),
        ("vpn.example", "www.facebook.com", Reason.NOT_AUTHORISED),
        ("203.0.113.7", "www.bbc.co.uk", Reason.UNLISTED),
        ("203.0.113.7", "www.facebook.com", Reason.NOT_AUTHORISED),
    ],
)
def test_both_names_are_judged(judge, asked, shown, reason):
    """CONNECT name and server name: a refusal of either refuses; two that pass must be one; an address says nothing."""
    assert judge(shown, destination=asked, explicit=True).reason is reason


# Commissioning


@pytest.mark.parametrize(
    ("changes", "reason", "would_be"),
    [
        ({}, Reason.OBSERVED, Reason.NOT_AUTHORISED),
        ({"host": "vpn.example"}, Reason.OBSERVED, Reason.LOCKED),
        ({"host": None}, Reason.OBSERVED, Reason.NO_SERVER_NAME),
        ({"host": None, "protocol": HTTP, "destination": None}, Reason.ADDRESS_LITERAL, None),
        ({"host": "www.bbc.co.uk"}, Reason.UNLISTED, None),
        ({"explicit": True, "port": 22}, Reason.PORT_NOT_ALLOWED, None),
        ({"fault": Reason.MALFORMED}, Reason.MALFORMED, None),
        ({"fault": Reason.BAD_CREDENTIALS}, Reason.BAD_CREDENTIALS, None),
        ({"host": "printer.local", "address": GUEST}, Reason.INTERNAL, None),
    ],
)
def test_observing(judge, make_policy, make_snapshot, changes, reason, would_be):
    """A refusal of the policy passes, says what it would have been, and is recorded; what guards machines stays."""
    policy = make_policy(observe={"estate": "2026-12-18", "guest": "2026-12-18"})
    decision = judge(**changes, snapshot=make_snapshot(policy=policy))
    assert (decision.reason, decision.would_be) == (reason, would_be)
    assert decision.recorded is (reason is not Reason.UNLISTED)


def test_observing_ends_with_the_day(judge, make_policy, make_snapshot):
    """A date means until that day is over, on the school's wall; other networks are not observed."""
    snapshot = make_snapshot(policy=make_policy(observe={"estate": "2026-11-23"}))
    midnight = datetime(2026, 11, 24, tzinfo=UTC)
    assert judge(snapshot=snapshot, at=midnight - SECOND).reason is Reason.OBSERVED
    assert judge(snapshot=snapshot, at=midnight).reason is Reason.NOT_AUTHORISED
    assert judge(address=GUEST, snapshot=snapshot).reason is Reason.IN_LESSON


# What a decision says


def test_a_decision_names_what_it_rests_on(judge, make_snapshot):
    """Rule, clause, service, category, network, device and whether a page can be shown."""
    devices = (Device("tablet", (ip_network("10.99.0.5"),)),)
    decision = judge("www.facebook.com", GUEST, snapshot=make_snapshot(devices=devices))
    assert (decision.rule, decision.clause) == ("In lessons", "3 ¶1")
    assert (decision.service, decision.category, decision.category_label) == ("facebook", *["social-network"] * 2)
    assert (decision.network, decision.device, decision.page) == ("guest", "tablet", False)
    assert judge("www.bbc.co.uk").category_label == "none"


@pytest.mark.parametrize(
    ("host", "address", "recorded"),
    [
        ("www.facebook.com", ESTATE, True),
        ("www.facebook.com", GUEST, True),
        ("help.facebook.com", ESTATE, True),
        ("www.bbc.co.uk", ESTATE, False),
        ("printer.local", ESTATE, False),
        ("printer.local", GUEST, True),
    ],
)
def test_what_is_recorded(judge, host, address, recorded):
    """Every refusal and every attempt at the catalogue; nothing else."""
    assert judge(host, address, at=BREAK).recorded is recorded


def test_no_snapshot_refuses_everything(make_attempt):
    """Nothing to go by: denied (law 1)."""
    decision = decide(make_attempt("www.bbc.co.uk"), None, LESSON)
    assert (decision.verdict, decision.reason, decision.host) == (DENY, Reason.NO_SNAPSHOT, "www.bbc.co.uk")


def test_refusals_that_are_not_the_policys(make_attempt):
    """They name the host and the person, as far as they are known."""
    decision = refusal(Reason.INTERNAL_ERROR, make_attempt("www.bbc.co.uk", person="head"))
    assert (decision.allowed, decision.host, decision.person) == (False, "www.bbc.co.uk", "head")
    assert refusal(Reason.TOO_BUSY).host is None


def test_what_cannot_be_recorded_is_refused_if_it_needed_a_grant(judge, grant):
    """Law 6; what would have passed anyway passes."""
    granted = judge("facebook.com", ESTATE, grant("network:estate", "facebook"))
    assert unrecordable(granted).reason is Reason.NOT_RECORDABLE
    assert not unrecordable(granted).allowed
    passed = judge("www.bbc.co.uk")
    assert unrecordable(passed) == passed


# When a decision may change


def test_next_change_is_the_first_of_all(make_snapshot, make_policy, grant):
    """Starts and ends of grants, bells, ends of observing, the lapse of an old snapshot; revoked grants have none."""
    given_ = grant("network:estate", "facebook")
    moment = LESSON.replace(hour=8, minute=0)
    assert next_change(make_snapshot(), moment) == LESSON.replace(minute=0)
    assert next_change(make_snapshot(), LESSON) == LESSON.replace(hour=10, minute=0)
    assert next_change(make_snapshot(given_), LESSON) == LESSON + timedelta(minutes=15)
    early = replace(given_, starts_at=moment + SECOND, ends_at=moment + 2 * SECOND)
    assert next_change(make_snapshot(early), moment) == moment + SECOND
    assert next_change(make_snapshot(early), moment + SECOND) == moment + 2 * SECOND
    no_bells = {"timetable": {}, "rules": [{"name": "All", "clause": "3", "verdict": "deny"}]}
    assert next_change(make_snapshot(policy=make_policy(**no_bells)), LESSON) is None
    observing = make_policy(**no_bells, observe={"guest": "2026-11-23"})
    assert next_change(make_snapshot(policy=observing), LESSON) == datetime(2026, 11, 24, tzinfo=UTC)


# What holds of every decision

hosts = st.sampled_from(
    ["www.facebook.com", "instagram.com", "a.fbcdn.net", "vpn.example", "forum.example", "www.bbc.co.uk", "x.local"]
).map(host_name)
subjects = st.sampled_from(
    ["network:estate", "network:guest", "address:10.20.0.10", "device:office-3", "group:office", "person:j.smith"]
)
targets = st.sampled_from(
    ["all", "facebook", "instagram", "vpn", "category:circumvention", "category:image-sharing", "domain:vpn.example"]
)
offsets = st.integers(-90, 90).map(lambda minutes: timedelta(minutes=minutes))
addresses = st.sampled_from([ESTATE, GUEST, ELSEWHERE, "fd00::1", "::ffff:10.20.0.10"])


@given(host=hosts, address=addresses, given_to=st.lists(st.tuples(subjects, targets), max_size=6), offset=offsets)
def test_locked_is_never_allowed(judge, grant, host, address, given_to, offset):
    """Whatever was granted to whomever, circumvention stays shut."""
    grants = [grant(who, target, id=number) for number, (who, target) in enumerate(given_to)]
    decision = judge(host, address, *grants, at=LESSON + offset, person="j.smith")
    if decision.category == "circumvention":
        assert (decision.verdict, decision.reason) == (DENY, Reason.LOCKED)
    if decision.reason is Reason.AUTHORISED:
        assert decision.authorisation in range(len(grants))


@given(host=hosts, target=targets, offset=offsets, address=st.sampled_from([ESTATE, GUEST, ELSEWHERE, "fd00::1"]))
def test_a_grant_changes_nobody_elses_verdict(judge, grant, host, target, offset, address):
    """A grant to one address leaves every other decision as it was."""
    at = LESSON + offset
    assert judge(host, address, grant("address:10.20.0.99", target), at=at) == judge(host, address, at=at)


@given(
    host=st.one_of(st.none(), hosts),
    destination=st.one_of(st.none(), hosts, st.sampled_from([TILL, INSIDE, "::1"]).map(ip_address)),
    port=st.integers(1, 65535),
    protocol=st.sampled_from(Protocol),
    explicit=st.booleans(),
    fault=st.one_of(st.none(), st.sampled_from(Reason)),
    address=addresses,
    person=st.one_of(st.none(), st.text(max_size=5)),
)
def test_never_raises_and_never_opens_a_fault(judge, **attempt):
    """Any attempt gets a decision; with a fault it passes only where the policy lists the destination or the name."""
    decision = judge(**attempt)
    if attempt["fault"] is not None and decision.allowed:
        assert decision.reason in {Reason.EXEMPT, Reason.INTERNAL}
        assert decision.host in {ip_address(TILL), ip_address(INSIDE), host_name("x.local")}
