"""What is said of one host: which service, by which domain, what the policy makes of it, and what it is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.finding import find
from policies.names import InvalidName, host_name


@pytest.fixture(scope="session")
def found(shipped_policy, shipped_catalogue):
    return lambda host: find(host_name(host), shipped_policy, shipped_catalogue)


def test_a_listed_host(found):
    """The service, and the longest of its domains that the host lies in."""
    finding = found("m.facebook.com")
    assert (finding.service.key, finding.domain) == ("facebook", "facebook.com")
    assert (finding.lock, finding.exemption, finding.alike) == (None, None, ())
    assert found("youtu.be").domain == "youtu.be"


def test_a_host_that_others_need(found):
    """Every service whose grant opens it too."""
    assert {service.key for service in found("static.xx.fbcdn.net").needed_by} >= {"instagram", "messenger", "threads"}


def test_what_the_policy_makes_of_it(found):
    """Locked, exempt by name, by bundle or by choice, the school's own, or left to the rules."""
    assert found("dns.google").lock.name == "Ways round the gateway"
    assert found("developers.facebook.com").exemption.bundle is None
    assert found("1-courier.push.apple.com").exemption.bundle == "apple"
    assert found("printer.local").internal
    teams = found("teams.microsoft.com")
    assert [(choice.service, choice.allow) for choice in teams.teaching] == [("microsoft-teams", True)]
    assert teams.exemption.because == teams.teaching[0].because
    assert [choice.allow for choice in found("www.youtube.com").teaching] == [False]
    assert found("www.youtube.com").exemption is None


def test_a_host_of_a_choice_that_shares_it(found):
    """The video hosts of YouTube pass for the player that is chosen, and both choices are said."""
    finding = found("r1.googlevideo.com")
    assert finding.service.key == "youtube"
    assert {choice.service for choice in finding.teaching} == {"youtube", "youtube-education"}
    assert finding.exemption is not None


@pytest.mark.parametrize(
    ("host", "alike"),
    [
        ("notfacebook.com", "facebook.com"),
        ("facebook.com.evil.example", "facebook.com"),
        ("www.facebok.com", "facebook.com"),
        ("netflix.com", "x.com"),
        ("tiktoc.com", "tiktok.com"),
        ("www.fаcebook.com", "facebook.com"),  # the second letter is Cyrillic
    ],
)
def test_what_a_host_is_not(found, host, alike):
    """Other text around the name, a letter more or less, a letter of another alphabet: what it might be taken for."""
    finding = found(host)
    assert finding.service is None
    assert finding.alike[0] == alike


@pytest.mark.parametrize("host", ["www.bbc.co.uk", "sky.com", "www.gov.uk", "accounts.google.com", "redd.example"])
def test_what_resembles_nothing(found, host):
    """No alarm about names that nobody would mistake."""
    assert found(host).alike == ()


def test_an_internationalised_name_is_shown_as_people_read_it(found):
    """Beside the form in which it is compared."""
    finding = found("www.fаcebook.com")
    assert finding.host == "www.xn--fcebook-2fg.com"
    assert finding.written == "www.fаcebook.com"
    assert found("xn--a.example").written == "xn--a.example"  # not decodable: as it is


def test_shared_infrastructure_is_named(found):
    """Why a whole platform is never listed."""
    assert found("cloudfront.net").platform.operator == "Amazon CloudFront, Amplify"
    assert found("www.facebook.com").platform is None


@given(st.text(max_size=60))
def test_any_name_is_explained(shipped_policy, shipped_catalogue, text):
    """Whatever is a name at all gives a finding, never an error."""
    try:
        host = host_name(text)
    except InvalidName:
        return
    finding = find(host, shipped_policy, shipped_catalogue)
    assert len(finding.alike) <= 3
    assert (finding.service is None) == (finding.domain is None)
