"""One school for all end-to-end tests, and every way a device's traffic meets its gateway."""

from collections.abc import Iterator

import pytest

from tests.e2e.devices import GUESTS_WAYS, WAYS, Way
from tests.e2e.school import School, school
from tests.needs import require


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    require("root", "namespaces", "nftables", "curl")
    with school(tmp_path_factory.mktemp("school")) as made:
        yield made


@pytest.fixture
def at_school(running: School) -> School:
    """The school; nothing has reached the internet yet."""
    running.process.check()
    running.lab.forget()
    return running


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, at_school: School) -> Way:
    return Way(at_school, *WAYS[request.param])


@pytest.fixture(params=GUESTS_WAYS)
def guests_way(request: pytest.FixtureRequest, at_school: School) -> Way:
    return Way(at_school, *GUESTS_WAYS[request.param])
