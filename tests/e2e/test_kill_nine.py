"""Exactly once over kill -9 of any process that writes or keeps the record."""

from pathlib import Path

import pytest

from tests.e2e import kill_nine

KILLS = 12  # the script alone makes 50


@pytest.mark.parametrize("load", kill_nine.LOADS)
def test_kill_nine_loses_nothing_and_doubles_nothing(tmp_path: Path, load: str) -> None:
    """Its processes die at random, over and over; the record has each attempt that went on, once."""
    result = kill_nine.run(tmp_path, load, KILLS, seed=KILLS)
    assert result.done > 0
    assert (result.lost, result.twice) == ({}, {}), str(result)
