"""A real Prometheus for a test: it scrapes what it is told, often, and answers queries."""

import json
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from tests.integration.gateway.processes import free_port
from tests.needs import tool

DEADLINE = 60.0
CONFIGURATION = """
global: {{scrape_interval: 100ms, scrape_timeout: 100ms}}
scrape_configs:
  - job_name: schoolgate
    static_configs: [{{targets: [{target}]}}]
"""


def wait_for[T](condition: Callable[[], T], what: str) -> T:
    """What ``condition`` gives as soon as it is true. Fails when it never is."""
    deadline = time.monotonic() + DEADLINE
    while not (found := condition()):
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.05)
    return found


class Prometheus:
    """``target`` is a host and port with ``/metrics``: a scripted exposition, or a running keeper's ``status``."""

    def __init__(self, folder: Path, target: str) -> None:
        self._folder, self._target = folder, target
        self.address = f"127.0.0.1:{free_port()}"

    def __enter__(self) -> Self:
        configuration = self._folder / "prometheus.yml"
        configuration.write_text(CONFIGURATION.format(target=self._target))
        self._log = (self._folder / "prometheus.log").open("wb")
        self._process = subprocess.Popen(
            [
                str(tool("prometheus")),
                f"--config.file={configuration}",
                f"--storage.tsdb.path={self._folder / 'tsdb'}",
                f"--web.listen-address={self.address}",
            ],
            stdout=self._log,
            stderr=self._log,
        )
        wait_for(self._ready, "Prometheus is ready")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(DEADLINE)
        self._log.close()

    def _ready(self) -> bool:
        assert self._process.poll() is None, (self._folder / "prometheus.log").read_text()
        try:
            with urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=DEADLINE) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def query(self, expression: str) -> Sequence[dict[str, Any]]:
        """The series that answer, each with ``metric`` and ``value`` (moment, text)."""
        asked = urllib.parse.urlencode({"query": expression})
        url = f"http://{self.address}/api/v1/query?{asked}"
        with urllib.request.urlopen(url, timeout=DEADLINE) as answer:
            result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return result
