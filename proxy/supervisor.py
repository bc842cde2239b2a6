"""``schoolgate run``: the keeper, then the answerer, as child processes; whichever dies is started again.

It holds no secrets and opens no store. Children die with it, whatever becomes of it, so that nothing enforces
unwatched; a second ``run`` on the same state directory refuses. A child that gives up before it ever worked has said
why, and starting it again would only say it again: then all of it ends.
"""

import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event
from types import FrameType

from proxy.files import lock_file
from proxy.settings import Settings
from proxy.status import not_ready

logger = logging.getLogger(__name__)

TICK = 0.05  # seconds
BACK_OFF_FIRST, BACK_OFF_LAST = 0.1, 5.0
STEADY = 10.0  # seconds a child must have lived for its next death to count as the first
SNAPSHOT_WITHIN = 5.0  # seconds the keeper has to publish before the last good snapshot will do
GRACE = 5.0  # seconds a child has to end by itself
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class Child:
    """One process, for ever: started, watched, started again."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        self.worked = False  # whether it ever did what it is for
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = self._restart_at = 0.0
        self._back_off = BACK_OFF_FIRST

    @property
    def process_id(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self, monotonic: float) -> None:
        self._process = subprocess.Popen(  # noqa: S603 -- our own command
            self._command,
            stdin=subprocess.DEVNULL,
            process_group=0,
            preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509 -- there are no other threads here
        )
        self._started_at = monotonic

    def watch(self, monotonic: float) -> int | None:
        """Start it again if it died and its time has come. Its exit code, if it gave up for good."""
        if self._process is None:
            if monotonic >= self._restart_at:
                self.start(monotonic)
            return None
        code = self._process.poll()
        if code is None:
            return None
        if not self.worked and code > 0:
            return code
        self._died(code, monotonic)
        return None

    def end(self) -> None:
        """Ask it to end; insist when it takes too long."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            logger.warning("The %s did not end within %d seconds and is killed.", self.name, GRACE)
            self._process.kill()
            self._process.wait()

    def _died(self, code: int, monotonic: float) -> None:
        if monotonic - self._started_at >= STEADY:
            self._back_off = BACK_OFF_FIRST
        logger.error("The %s ended (%s); it is started again in %.1f s.", self.name, _describe(code), self._back_off)
        self._process = None
        self._restart_at = monotonic + self._back_off
        self._back_off = min(2 * self._back_off, BACK_OFF_LAST)


def run(settings: Settings, ready: Callable[[], None] | None = None) -> int:
    """Run everything until told to stop (SIGTERM, SIGINT). ``ready`` is called once, when policy is enforced.

    Gives the exit code: 0, or that of a child that could not begin. Raises AlreadyRunning, OSError.
    """
    with lock_file(settings.lock_file, "schoolgate"), _told_to_stop() as stop:
        keeper, answerer = (Child(name, command(name)) for name in ("keeper", "answerer"))
        try:
            return _run(settings, keeper, answerer, stop, ready)
        finally:
            answerer.end()  # first, so that the keeper records its last
            keeper.end()


def command(name: str) -> tuple[str, ...]:
    return sys.executable, "-m", "proxy.cli", name


def _run(settings: Settings, keeper: Child, answerer: Child, stop: Event, ready: Callable[[], None] | None) -> int:
    _forget_figures(settings)
    begun, began_at = time.time(), time.monotonic()
    keeper.start(began_at)
    while not stop.wait(TICK):
        now = time.monotonic()
        if (code := keeper.watch(now)) is not None:
            return code
        if not keeper.worked:
            keeper.worked = _has_snapshot(settings, begun, patient=now - began_at < SNAPSHOT_WITHIN)
        elif (code := answerer.watch(now)) is not None:
            return code
        elif not answerer.worked and not not_ready(settings.process_dir, datetime.now(UTC)):
            answerer.worked = True
            if ready is not None:
                ready()
    return 0


def _has_snapshot(settings: Settings, begun: float, *, patient: bool) -> bool:
    """Whether there is something to enforce: better what this keeper published than the last good state."""
    try:
        published = settings.snapshot_file.stat().st_mtime
    except OSError:
        return False
    return published >= begun or not patient


def _forget_figures(settings: Settings) -> None:
    """Signs of life from the last time say nothing of this one."""
    for path in settings.process_dir.glob("*.prom"):
        path.unlink(missing_ok=True)


@contextmanager
def _told_to_stop() -> Iterator[Event]:
    """An event that SIGTERM and SIGINT set. Children are in groups of their own: a Ctrl-C reaches them through us."""
    stop = Event()

    def tell(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, tell) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _die_with(parent: int) -> Callable[[], None]:
    """What a child does first: ask the kernel to kill it when its parent is gone, and see that it is not gone yet."""

    def bind() -> None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return bind


def _describe(code: int) -> str:
    return f"by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
