"""Exactly once over kill -9 of any process that writes or keeps the record."""

import os
from pathlib import Path

import pytest

from tests.e2e import kill_nine
from tests.needs import TEST_ALL

KILLS = 50 if os.environ.get(TEST_ALL) == "1" else 8


@pytest.mark.parametrize("load", kill_nine.LOADS)
def test_kill_nine_loses_nothing_and_doubles_nothing(tmp_path: Path, load: str) -> None:
    """Keeper and load die at random, over and over; the record has each attempt that went on, once."""
    result = kill_nine.run(tmp_path, load, KILLS, seed=KILLS)
    assert result.done > 0
    assert (result.lost, result.twice) == ({}, {}), str(result)
