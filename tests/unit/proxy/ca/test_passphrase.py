"""The passphrase of the root's key."""

import re
from math import log2

import pytest

from proxy.ca.errors import CaError
from proxy.ca.passphrase import GROUP, GROUPS, LETTERS, check_passphrase, new_passphrase


def test_a_passphrase_can_be_read_out() -> None:
    """Six groups of four letters, none of which is taken for another."""
    assert re.fullmatch(r"([a-hjkmnp-z]{4}-){5}[a-hjkmnp-z]{4}", new_passphrase())
    assert not set("ilo") & set(LETTERS)


def test_a_passphrase_is_beyond_guessing() -> None:
    """More than a hundred bits, for the file's own key derivation costs a guesser little; and never the same twice."""
    assert GROUPS * GROUP * log2(len(LETTERS)) > 100
    assert len({new_passphrase() for _ in range(100)}) == 100


@pytest.mark.parametrize("passphrase", ["", "hunter2", "x" * 19, "x" * 1025])
def test_one_that_somebody_chose_may_be_too_short_or_huge(passphrase: str) -> None:
    """Says the lengths that will do, and not the passphrase."""
    with pytest.raises(CaError, match="has 20 to 1024 characters") as caught:
        check_passphrase(passphrase)
    assert not passphrase or passphrase not in str(caught.value)


@pytest.mark.parametrize("passphrase", ["x" * 20, "correct horse battery staple", "Käse: näh, süß & größer als ß"])
def test_any_other_will_do(passphrase: str) -> None:
    """Colons, spaces, letters of any language."""
    check_passphrase(passphrase)
