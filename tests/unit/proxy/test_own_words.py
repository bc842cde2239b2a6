"""What the gateway answers by itself: plain, short, and without a word about the software."""

import pytest

from policies.vocabulary import Outcome
from proxy.own_words import BY_OUTCOME, BY_STATUS, OTHER, own_answer


@pytest.mark.parametrize("status", [*BY_STATUS, 418])
@pytest.mark.parametrize("outcome", [None, *Outcome])
def test_every_answer_is_one_plain_sentence(status: int, outcome: Outcome | None) -> None:
    """Whatever happened, there are words for it; nothing is kept of it, and the connection closes."""
    answer = own_answer(status, outcome)
    expected = BY_OUTCOME.get(outcome) or BY_STATUS.get(status, OTHER)
    assert (answer.status_code, answer.text) == (status, f"{expected}\n")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert (answer.headers["connection"], answer.headers["cache-control"]) == ("close", "no-store")
    assert "server" not in answer.headers


def test_head_has_none() -> None:
    """As HTTP wants it."""
    assert own_answer(502, body=False).content == b""
