"""What every test may ask for. Parts of the system are asked for through ``tests.needs.require``."""

import os

import pytest

pytest_plugins = ["tests.stores"]


@pytest.fixture(autouse=True, scope="session")
def _no_settings_of_the_machine() -> None:
    """A test never runs on the settings of the machine it happens to be on."""
    for name in [n for n in os.environ if n.startswith("SCHOOLGATE_") and n != "SCHOOLGATE_TEST_ALL"]:
        del os.environ[name]
    os.environ["SCHOOLGATE_CONFIG"] = os.devnull
