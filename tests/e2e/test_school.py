"""What the school was promised, by real clients: explicit and transparent, over IPv4 and IPv6."""

from collections.abc import Mapping
from functools import partial

import pytest

from tests.e2e.devices import WAYS, Way, soon
from tests.e2e.lab import CLOSED, CLOSED_NAMES, DEVICES, DEVICES_6, OPEN, OPEN_NAMES
from tests.e2e.school import School
from tests.integration.gateway.clients import eventually

FACEBOOK, TIKTOK, BBC = "www.facebook.com", "www.tiktok.com", "www.bbc.co.uk"


def test_facebook_is_refused_with_the_page(way: Way) -> None:
    """403 under the school's certificate, with service and clause, and nothing reaches Facebook."""
    answer = way.device(2).get(f"https://{FACEBOOK}/", "--header", "Accept: text/html")
    assert answer.is_page
    assert "Facebook" in answer.body
    assert "3 ¶1" in answer.body
    assert way.school.lab.closed_accepts == 0


@pytest.mark.parametrize("host", [*CLOSED_NAMES, "FACEBOOK.COM.", "M.Facebook.com"])
def test_social_media_is_refused_by_any_of_its_names(way: Way, host: str) -> None:
    """Below the catalogue's domains, in any case, with the root's dot: the page, and nothing is reached."""
    at = way.where(CLOSED) if host not in CLOSED_NAMES else None
    assert way.device(2).page(host, at=at if way.proxy is None else None)
    assert way.school.lab.closed_accepts == 0


@pytest.mark.parametrize("host", OPEN_NAMES)
def test_what_is_not_social_media_passes_untouched(way: Way, host: str) -> None:
    """With the origin's own certificate, whatever it looks like."""
    assert way.device(2).opens(host)
    assert way.school.lab.open_accepts == 1


def test_plain_http_is_judged_by_its_host(way: Way) -> None:
    """The page for the refused name at whatever address, the origin for the other."""
    device = way.device(2)
    for place in (OPEN, CLOSED):
        at = way.where(place) if way.proxy is None else None
        assert device.get(f"http://{FACEBOOK}/", at=at).status == 403
    assert device.get(f"http://{BBC}/").status == 200
    assert (way.school.lab.closed_accepts, way.school.lab.open_accepts) == (0, 1)


# Names at the wrong address


def test_a_refused_name_at_an_open_address_is_refused(way: Way) -> None:
    """The name is judged, wherever the device says that it lives."""
    assert way.device(2).page(FACEBOOK, at=way.where(OPEN))
    assert (way.school.lab.closed_accepts, way.school.lab.open_accepts) == (0, 0)


def test_a_passed_name_at_a_refused_address_is_dialled_where_it_lives(way: Way) -> None:
    """An innocent name said to live at Facebook's address leads to the innocent."""
    assert way.device(2).opens(BBC, at=way.where(CLOSED))
    assert (way.school.lab.closed_accepts, way.school.lab.open_accepts) == (0, 1)


# Grants


def test_a_grant_opens_for_its_address_alone_until_it_is_revoked(way: Way) -> None:
    """At once, undecrypted; revoke cuts a download in the middle, and nothing that is downloaded elsewhere."""
    granted, other = way.device(0), way.device(1)
    number = way.school.grant(f"address:{granted.address}", "facebook")
    assert soon(lambda: granted.opens(FACEBOOK))
    assert other.page(FACEBOOK)
    assert granted.page("www.reddit.com")
    with granted.download(FACEBOOK) as download, granted.download(BBC) as elsewhere:
        way.school.revoke(number)
        eventually(lambda: not download.is_running)
        assert download.is_cut
        assert elsewhere.is_running
    assert granted.page(FACEBOOK)


def test_a_grant_of_four_seconds_ends_by_itself(way: Way) -> None:
    """The same way: the download is cut, and the page is back."""
    device = way.device(1)
    way.school.grant(f"address:{device.address}", "facebook", "4s")
    assert soon(lambda: device.opens(FACEBOOK))
    with device.download(FACEBOOK) as download:
        eventually(lambda: not download.is_running)
        assert download.is_cut
    assert device.page(FACEBOOK)


def test_a_grant_to_a_device_opens_at_its_addresses_alone(at_school: School) -> None:
    """A device is known by its addresses, and the record names it."""
    addresses = [word for address in (DEVICES[2], DEVICES_6[2]) for word in ("--address", address)]
    at_school.as_head("devices", "add", "office-3", *addresses)
    number = at_school.grant("device:office-3", "tiktok")
    office, another = ([Way(at_school, *way).device(number) for way in WAYS.values()] for number in (2, 1))
    assert all(soon(partial(device.opens, TIKTOK)) for device in office)
    assert all(device.page(TIKTOK) for device in another)
    at_school.revoke(number)
    assert all(soon(partial(device.page, TIKTOK)) for device in office)
    opened = {DEVICES[2], DEVICES_6[2]}
    eventually(lambda: {row["address"] for row in at_school.attempts("--device", "office-3") if is_open(row)} == opened)


def is_open(row: Mapping[str, object]) -> bool:
    return (row["verdict"], row["reason"], row["host"]) == ("allow", "authorised", TIKTOK)
