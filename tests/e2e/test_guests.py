"""Guest Wi-Fi: refused in lessons, open outside them; the policy is edited, so the bell rings, while it runs."""

from tests.e2e.devices import WAYS, Way
from tests.integration.gateway.clients import eventually

INSTAGRAM = "www.instagram.com"


def test_guests_are_refused_in_lessons_by_an_alert(guests_way: Way) -> None:
    """Their devices do not have the school's certificate: no page, and nothing is reached."""
    assert guests_way.device(0).is_cut_off(INSTAGRAM)
    assert guests_way.school.lab.closed_accepts == 0


def test_guests_pass_outside_lessons_until_the_bell(guests_way: Way) -> None:
    """Undecrypted, and guests alone; when the next lesson begins, a running download is cut."""
    school, guest = guests_way.school, guests_way.device(0)
    school.edit_policy(lesson=False)
    try:
        eventually(lambda: guest.opens(INSTAGRAM), every=0.1)
        assert Way(school, *WAYS["transparent"]).device(2).page(INSTAGRAM)
        with guest.download(INSTAGRAM) as download:
            school.edit_policy(lesson=True)
            eventually(lambda: not download.is_running)
            assert download.is_cut
        assert guest.is_cut_off(INSTAGRAM)
    finally:
        school.edit_policy(lesson=True)
