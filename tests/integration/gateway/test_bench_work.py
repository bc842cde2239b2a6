"""The client of `make bench` counts nothing as done that was not done as it should be."""

from dataclasses import replace

import pytest

from tests.bench.work import PASSED, REFUSED, Client, Job, WorkFailed


@pytest.fixture
def passing(gateway) -> Job:
    """Three connections that the gateway passes untouched."""
    origin = gateway.world.open
    return Job(proxy=gateway.address, target=(origin.host, origin.port), name=PASSED, root=gateway.world.root, count=3)


@pytest.fixture(scope="module")
def bench_client():
    with Client() as client:
        yield client


def test_work_that_is_done(bench_client, passing, gateway):
    """Every connection reaches the origin, and comes from it."""
    gateway.world.forget()
    bench_client.do(passing)
    assert gateway.world.open.accepts == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": REFUSED},  # the page, where the origin was to answer: another authority's certificate
        {"status": 403},  # the origin, where a page was to be shown
        {"size": 999},  # more than was asked for
        {"target": ("127.0.2.1", 9)},  # a port that is not open to clients
        {"proxy": ("127.0.0.1", 1)},  # nobody listens
    ],
    ids=str,
)
def test_work_that_fails(bench_client, passing, wrong):
    """An error is never a fast connection."""
    with pytest.raises(WorkFailed):
        bench_client.do(replace(passing, **wrong))
