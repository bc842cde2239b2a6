"""Steps: done when due, and whatever one raises ends there."""

import logging

import pytest
from prometheus_client import CollectorRegistry

from proxy.metrics import internal_errors
from proxy.steps import PAUSE, Step
from proxy.store.errors import StoreLocked


class Work:
    """Counts how often it was done, and fails when told to."""

    def __init__(self) -> None:
        self.done = 0
        self.fault: Exception | None = None

    def __call__(self) -> None:
        self.done += 1
        if self.fault:
            raise self.fault


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def test_a_step_is_done_when_due(work: Work, registry: CollectorRegistry) -> None:
    """Not before its period is over; without one, every time."""
    failures = internal_errors(registry)
    step, always = Step("some", work, 2.0), Step("other", work, 0.0)
    for moment in (0.0, 1.0, 2.0, 3.9, 4.0):
        step.run(moment, failures)
    assert work.done == 3
    always.run(4.0, failures)
    always.run(4.0, failures)
    assert work.done == 5


def test_a_fault_is_counted_and_waited_out(
    work: Work, registry: CollectorRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    """Each failure counts under the step's name; the log has one line for as long as the fault is the same."""
    failures = internal_errors(registry)
    step = Step("drain", work, 0.0)
    work.fault = ValueError("odd")
    for number in range(4):
        step.run(number * PAUSE / 2, failures)
    assert work.done == 2
    assert registry.get_sample_value("schoolgate_internal_errors_total", {"where": "drain"}) == 2
    work.fault = OSError("full")
    step.run(10.0, failures)
    work.fault = None
    step.run(20.0, failures)
    work.fault = OSError("full")
    step.run(30.0, failures)
    assert [record.getMessage() for record in caplog.records] == [
        "drain: ValueError: odd",
        "drain: OSError: full",
        "drain: OSError: full",
    ]


@pytest.mark.parametrize(("fault", "traced"), [(ValueError("x"), True), (StoreLocked("x"), False), (OSError(), False)])
def test_only_faults_of_the_code_have_a_traceback(
    work: Work, registry: CollectorRegistry, caplog: pytest.LogCaptureFixture, fault: Exception, *, traced: bool
) -> None:
    """A locked store or a full disk is said in a line."""
    work.fault = fault
    with caplog.at_level(logging.ERROR):
        Step("latch", work, 0.0).run(0.0, internal_errors(registry))
    assert [bool(record.exc_info) for record in caplog.records] == [traced]


def test_an_interruption_is_not_swallowed(registry: CollectorRegistry) -> None:
    """The guard is for faults; being interrupted is none."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Step("some", interrupted, 0.0).run(0.0, internal_errors(registry))
