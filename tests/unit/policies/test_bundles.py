"""Exempt bundles: those that come with schoolgate keep their law, and a policy that names one is filled in from it."""

import json
import re
from hashlib import sha256
from itertools import chain
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from policies.exemptions import Exemption
from policies.loading import PolicyError, check, load_bundles, load_policy, policy_from_json, policy_to_json
from policies.names import host_name, is_within, parents
from policies.shared_infrastructure import is_shared_infrastructure

ALL = load_bundles()
NEEDED = {
    "apple", "google", "google-meet", "microsoft-365", "teams-media", "windows-update", "zoom", "mdm", "exam-boards",
    "certificate-checks", "connectivity-checks", "school-systems",
}  # fmt: skip
# What no bundle may ever pass: social media, what it is fetched from, ways round, and everything of a whole company.
NEVER = [
    "www.facebook.com", "connect.facebook.net", "static.xx.fbcdn.net", "www.instagram.com", "x.com", "www.tiktok.com",
    "www.youtube.com", "r1---sn.googlevideo.com", "i.ytimg.com", "youtubei.googleapis.com", "chat.google.com",
    "groups.google.com", "classroom.google.com", "meet.google.com", "www.google.com", "lh3.googleusercontent.com",
    "www.blogger.com", "blogger.googleusercontent.com", "teams.microsoft.com", "teams.live.com", "web.yammer.com",
    "engage.cloud.microsoft", "www.linkedin.com", "dns.google", "mask.icloud.com", "doh.dns.apple.com",
    "www.icloud.com", "cloudflare-dns.com", "translate.goog", "any.cloudfront.net", "any.s3.amazonaws.com",
    "any.akamaihd.net", "any.blob.core.windows.net", "any.azureedge.net", "raw.githubusercontent.com",
    "www.reddit.com", "discord.com",
]  # fmt: skip
ALWAYS = {
    "apple": ["1-courier.push.apple.com", "albert.apple.com", "swcdn.apple.com", "vpp.itunes.apple.com"],
    "google": ["mtalk.google.com", "m.google.com", "accounts.google.com", "accounts.youtube.com", "play.google.com"],
    "microsoft-365": ["login.microsoftonline.com", "aschool.sharepoint.com", "outlook.office.com"],
    "windows-update": ["fe3.delivery.mp.microsoft.com", "ctldl.windowsupdate.com"],
    "teams-media": ["api.flightproxy.skype.com"],
    "google-meet": ["meetings.googleapis.com"],
    "zoom": ["us02web.zoom.us"],
    "mdm": ["aschool.jamfcloud.com", "fef.manage.microsoft.com", "n123.meraki.com"],
    "exam-boards": ["onlineservices.aqa.org.uk", "interchange.ocr.org.uk", "www.edexcelonline.com", "www.wjec.co.uk"],
    "certificate-checks": ["ocsp.digicert.com", "r10.o.lencr.org", "o.pki.goog", "ocsp.r2m01.amazontrust.com"],
    "connectivity-checks": ["www.msftconnecttest.com", "captive.apple.com", "connectivitycheck.gstatic.com"],
}


@pytest.fixture(params=ALL.values(), ids=ALL)
def bundle(request):
    return request.param


def exempts(bundle, host: str) -> bool:
    return any(is_within(host_name(host), domain) for domain in bundle.domains)


# Those that come with schoolgate


def test_what_a_school_cannot_lose_is_there():
    """A bundle for each of the vendors and purposes, with the hosts that matter most."""
    assert set(ALL) >= NEEDED
    missing = [(key, host) for key, hosts in ALWAYS.items() for host in hosts if not exempts(ALL[key], host)]
    assert missing == []


def test_a_bundle_passes_no_social_media(bundle):
    """None of what the gateway is there for, and nothing whole of a company or a content network."""
    assert [host for host in NEVER if exempts(bundle, host)] == []


def test_a_bundle_and_the_catalogue_keep_apart(bundle, shipped_catalogue):
    """No host of a bundle lies in a service's domain, or above one, save where the bundle gives the reason."""
    listed = {domain: s.key for s in shipped_catalogue.services.values() for domain in s.domains}
    below = [d for d in bundle.domains if shipped_catalogue.find(d) is not None and d not in bundle.exceptions]
    above = [(d, listed[own]) for own in listed for d in (own, *parents(own)) if d in bundle.domains]
    assert (below, above) == ([], [])


def test_a_bundle_takes_no_shared_infrastructure(bundle):
    """No content network, no cloud, save where the bundle gives the reason."""
    assert [d for d in bundle.domains if is_shared_infrastructure(d) and d not in bundle.exceptions] == []


def test_an_exception_is_needed(bundle, shipped_catalogue):
    """A reason stands only where the law would be broken, and says something."""
    for domain, reason in bundle.exceptions.items():
        assert shipped_catalogue.find(domain) is not None or is_shared_infrastructure(domain), domain
        assert len(reason) > 20


def test_no_host_stands_below_another(bundle):
    """Each line says something that no other says."""
    domains = set(bundle.domains)
    assert [domain for domain in bundle.domains if not domains.isdisjoint(parents(domain))] == []


def test_a_bundle_says_where_it_is_from(bundle):
    """Its source is a document, its version a date, a revision, or that it is not known."""
    assert len(bundle.source) > 20
    assert re.search(r"\d{4}|unknown", bundle.version)


# In a policy

POLICY = """\
school: {name: A school, contact: the head}
networks: {estate: {addresses: [10.0.0.0/8]}}
rules: [{name: Estate, clause: "3", verdict: deny}]
exempt:
"""
PUSH = """\
bundle: push
name: Push
purpose: Notifications
because: Devices need them
clause: "1"
source: the vendor's document
version: "2026-11"
hosts:
  - purpose: Push
    domains: [push.example, pull.example]
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "bundles").mkdir()
    (tmp_path / "bundles" / "push.yaml").write_text(PUSH)
    return tmp_path / "bundles"


@pytest.fixture
def load(folder, tmp_path):
    def loaded(exempt: str):
        path = tmp_path / "policy.yaml"
        path.write_text(POLICY + exempt)
        return load_policy(path, folder)

    return loaded


def test_a_bundle_is_filled_in(load):
    """Its hosts, and its reason and clause where the policy does not say its own."""
    [plain] = load("  - bundle: push\n").exempt
    assert plain.domains == ("push.example", "pull.example")
    assert (plain.because, plain.clause, plain.bundle) == ("Devices need them", "1", "push")
    [said] = load('  - {bundle: push, because: Ours, clause: "5"}\n').exempt
    assert (said.because, said.clause, said.domains) == ("Ours", "5", plain.domains)


def test_a_bundles_host_passes(load):
    """And all below it; what is beside it does not."""
    policy = load("  - bundle: push\n")
    assert policy.exemption_of(host_name("a.push.example"), ()).bundle == "push"
    assert policy.exemption_of(host_name("notpush.example"), ()) is None


def test_the_version_covers_the_bundles(load, folder):
    """Another bundle is another policy; a bundle that is not named is none of its business."""
    first = load("  - bundle: push\n").version
    (folder / "other.yaml").write_text(PUSH.replace("bundle: push", "bundle: other"))
    assert load("  - bundle: push\n").version == first
    (folder / "push.yaml").write_text(PUSH.replace("pull.example", "pool.example"))
    assert load("  - bundle: push\n").version != first
    without = "  - {because: x, clause: x, domains: [a.example]}\n"
    assert load(without).version == sha256((POLICY + without).encode()).hexdigest()[:12]


def test_through_json(load, shipped_policy):
    """The snapshot carries what was filled in, and needs no bundle to read it."""
    for policy in (load("  - bundle: push\n"), shipped_policy):
        assert policy_from_json(json.loads(json.dumps(policy_to_json(policy)))) == policy


@pytest.mark.parametrize(
    ("exempt", "line", "message"),
    [
        ("  - bundle: psuh", 5, "exempt.0.bundle: there is no bundle 'psuh'; did you mean push?"),
        ("  - bundle: moodle", 5, "exempt.0.bundle: there is no bundle 'moodle'; there are push"),
        ("  - bundle: [push]", 5, "exempt.0.bundle: there is no bundle ['push']"),
        ("  - bundle: ../push", 5, "exempt.0.bundle: there is no bundle '../push'"),
        ("  - bundel: push", 5, "exempt.0.bundel: is no field here; did you mean bundle?"),
        ("  - bundle: push\n    domains: [a.example]", 6, "exempt.0.domains: leave it out beside a bundle"),
        ("  - bundle: push\n    services: [x]", 6, "exempt.0.services: leave it out beside a bundle"),
        ("  - bundle: push\n    clause: 5", 6, "exempt.0.clause: is not text; put quotes around it"),
        ("  - bundle: push\n    because: ''", 6, "exempt.0.because: is empty; a word or a sentence is expected"),
        ("  - bundle: push\n  - bundle: push", 6, "exempt.1.bundle: push is exempt already, by an entry above"),
        ("  - {because: x, clause: x}", 5, "exempt.0: names nothing that passes: write domains, services or a bundle"),
        ("  - push", 5, "exempt.0: is not a mapping"),
        ("  - bundle:", 5, "exempt.0.because: is missing"),
    ],
)
def test_a_wrong_entry(load, tmp_path, exempt, line, message):
    """File, line, field, and what to do."""
    with pytest.raises(PolicyError) as caught:
        load(exempt + "\n")
    assert f"{tmp_path / 'policy.yaml'}:{line}: {message}" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("bundle: push", "bundle: pull", ":1: bundle: 'pull' is not the name of its file"),
        ("name: Push\n", "", ":1: name: is missing"),
        ("clause:", "claus:", ":5: claus: is no field here; did you mean clause?"),
        ("pull.example", "co.uk", ":10: hosts.0.domains.1: 'co.uk' is everybody's"),
        ("pull.example", "push.example", ":10: hosts.0.domains.1: push.example stands in the bundle already"),
        ("[push.example, pull.example]", "[]", ":10: hosts.0.domains: is empty"),
        ("hosts:", "exceptions: {a.example: why}\nhosts:", ":8: exceptions.a.example: a.example is no host of the"),
        ('"2026-11"', "2026-11-01", ":7: version: is not text; put quotes around it"),
        ("name: Push", "name: [", "not YAML"),
    ],
)
def test_a_wrong_bundle(load, folder, old, new, message):
    """A bundle is as strict as a policy, and its own file is named."""
    (folder / "push.yaml").write_text(PUSH.replace(old, new, 1))
    with pytest.raises(PolicyError) as caught:
        load("  - bundle: push\n")
    assert str(folder / "push.yaml") + ":" in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "valid"),
    [
        ({"bundle": "push"}, True),
        ({"bundle": "push", "because": "Ours"}, True),
        ({"because": "x", "clause": "1", "domains": ["a.example"]}, True),
        ({"because": "x", "domains": ["a.example"]}, False),
        ({"bundel": "push"}, False),
    ],
)
def test_the_schema_for_editors_knows_bundles(entry, valid):
    """An entry says why, or names a bundle that does."""
    assert Draft202012Validator(Exemption.model_json_schema()).is_valid(entry) is valid


def test_no_folder_of_bundles(tmp_path):
    """A folder that is not there is an error, not a policy that exempts nothing."""
    (tmp_path / "policy.yaml").write_text(POLICY + "  - bundle: push\n")
    with pytest.raises(PolicyError, match="cannot be read"):
        load_policy(tmp_path / "policy.yaml", tmp_path / "absent")


def test_check_names_the_bundle(load, shipped_catalogue, folder):
    """A bundle that would open a service whole is refused by its name."""
    (folder / "push.yaml").write_text(PUSH.replace("pull.example", "facebook.com"))
    [problem] = check(load("  - bundle: push\n"), shipped_catalogue)
    assert problem == "exempt bundle push: facebook.com also opens Facebook; name the hosts below it that are meant"


def test_the_default_policy_uses_what_a_school_cannot_lose(shipped_policy):
    """Every bundle but the sites for lessons, which nothing refuses."""
    assert {exemption.bundle for exemption in shipped_policy.exempt} - {None} == NEEDED


def test_what_the_policy_passes_in_all_is_moderate(shipped_policy):
    """The names that pass go into every snapshot, and are looked up at every decision."""
    domains = list(chain.from_iterable(exemption.domains for exemption in shipped_policy.exempt))
    assert len(domains) < 1000
    assert len(json.dumps(policy_to_json(shipped_policy))) < 100_000
