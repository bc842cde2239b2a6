"""Every reason code has its words."""

import pytest

from policies.vocabulary import Reason
from proxy.pages.reasons import WORDS


def test_every_reason_has_a_sentence() -> None:
    """Nobody is ever shown a bare code; a new reason needs its sentence first."""
    assert set(WORDS) == set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_sentences_are_sentences(reason: Reason) -> None:
    """One sentence, with a capital, a full stop and none of the code's own words in it."""
    words = WORDS[reason]
    assert words.sentence[0].isupper()
    assert words.sentence.endswith(".")
    assert words.sentence.count(".") == 1
    assert "_" not in words.sentence
    assert not words.remedy or words.remedy.endswith(".")
