"""Work that a process does over and over, guarded: a step that fails is counted, logged once, and tried again."""

import logging
from collections.abc import Callable

from prometheus_client import Counter

from proxy.store.errors import StoreError

logger = logging.getLogger(__name__)

PAUSE = 1.0  # seconds after a failure


class Step:
    """One kind of work, done when it is due (``period`` 0: every time)."""

    def __init__(self, name: str, work: Callable[[], None], period: float) -> None:
        self._name, self._work, self._period = name, work, period
        self._due = 0.0
        self._complaint: str | None = None

    def run(self, monotonic: float, failures: Counter) -> None:
        """Do it if it is due; whatever it raises ends here."""
        if monotonic < self._due:
            return
        self._due = monotonic + self._period
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 -- the guard: nothing in a step ends the process
            self._due = monotonic + max(PAUSE, self._period)
            failures.labels(self._name).inc()
            self._complain(error)
        else:
            self._complaint = None

    def _complain(self, error: Exception) -> None:
        """Once for each different fault, for as long as it lasts. The store's and the disk's need no traceback."""
        complaint = f"{type(error).__name__}: {error}"
        if complaint != self._complaint:
            expected = isinstance(error, StoreError | OSError)
            logger.error("%s: %s", self._name, complaint, exc_info=None if expected else error)
        self._complaint = complaint
