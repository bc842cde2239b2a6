"""What a person writes in a field."""

from datetime import timedelta

import pytest

from policies.model import duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("45s", timedelta(seconds=45)),
        ("90m", timedelta(minutes=90)),
        ("2h", timedelta(hours=2)),
        (" 1h 30m ", timedelta(minutes=90)),
        ("1H30M", timedelta(minutes=90)),
        ("7d", timedelta(days=7)),
        ("3660d", timedelta(days=3660)),
    ],
)
def test_durations(text, expected):
    """Numbers with units, together if need be."""
    assert duration(text) == expected
    assert duration(expected) == expected


@pytest.mark.parametrize(
    "text", ["", "2", "h", "-2h", "2.5h", "2 hours", "٢h", "0m", "3661d", "9" * 30 + "h", "1s" * 10, None, 7, "2h\x00"]
)
def test_wrong_durations(text):
    """Everything else says what to write; nothing overflows."""
    with pytest.raises(ValueError, match="write"):
        duration(text)
