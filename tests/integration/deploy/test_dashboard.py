"""Every query of the dashboard answers on a real Prometheus after a scripted hour."""

import json
import math
from collections.abc import Iterator
from importlib.resources import files

import pytest

from tests.integration.deploy.prometheus_server import Prometheus, wait_for
from tests.integration.deploy.scripted_hour import MINUTES, Hour, served
from tests.needs import require

DASHBOARD = json.loads(files("deploy").joinpath("grafana/schoolgate.json").read_text())
QUERIES = [
    pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}")
    for panel in DASHBOARD["panels"]
    for target in panel.get("targets", ())
]


def as_grafana_asks(expression: str) -> str:
    """The query with the dashboard's variables filled in: all gateways, a range of several scrapes."""
    return expression.replace("$instance", ".*").replace("$__rate_interval", "30s")


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    require("prometheus")
    hour = Hour()
    with served(hour) as target, Prometheus(tmp_path_factory.mktemp("prometheus"), target) as server:
        wait_for(lambda: hour.minutes >= MINUTES, "the hour is over")
        yield server


@pytest.mark.parametrize("expression", QUERIES)
def test_every_query_answers(prometheus: Prometheus, expression: str) -> None:
    """No panel is empty, and none shows a figure that is not a number."""
    answer = prometheus.query(as_grafana_asks(expression))
    assert answer, "no series"
    assert not any(math.isnan(float(series["value"][1])) for series in answer)


def test_the_hour_is_counted_as_it_was_told(prometheus: Prometheus) -> None:
    """The panel of denials shows the reason that the script gave, at a rate above nought."""
    expression = next(q.values[0] for q in QUERIES if q.id == "Denied, by reason A")
    [series] = prometheus.query(as_grafana_asks(str(expression)))
    assert series["metric"] == {"reason": "not_authorised"}
    assert float(series["value"][1]) > 0
