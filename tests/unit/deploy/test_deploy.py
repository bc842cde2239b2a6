"""What lies in deploy/ is found wherever schoolgate is installed, and speaks the names of the rest."""

import json
import re
import tomllib
from collections.abc import Iterator
from configparser import RawConfigParser
from importlib.resources import files

import pytest
from prometheus_client import CollectorRegistry
from ruamel.yaml import YAML

from proxy.metrics import KeeperMetrics, Metrics
from proxy.settings import Settings

DEPLOY = files("deploy")
DASHBOARD = json.loads(DEPLOY.joinpath("grafana/schoolgate.json").read_text())
RULES = YAML(typ="safe").load(DEPLOY.joinpath("prometheus/schoolgate.rules.yml").read_text())
METRIC = re.compile(r"\bschoolgate_[a-z_]+")
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",), "info": ("_info",)}


def sample_names() -> set[str]:
    families = [m for cls in (Metrics, KeeperMetrics) for m in cls(CollectorRegistry()).registry.collect()]
    return {family.name + suffix for family in families for suffix in SUFFIXES[family.type]}


def expressions() -> Iterator[str]:
    yield from (target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ()))
    yield from (rule["expr"] for group in RULES["groups"] for rule in group["rules"])


def unit(name: str) -> RawConfigParser:
    parser = RawConfigParser(strict=False)  # systemd allows a key twice
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # systemd's keys have capitals
    parser.read_string(DEPLOY.joinpath("systemd", name).read_text())
    return parser


def test_queries_speak_of_metrics_that_exist() -> None:
    """No alert and no panel asks for a metric that schoolgate does not have."""
    asked = {name for expr in expressions() for name in METRIC.findall(expr)}
    assert asked <= sample_names()


def test_every_metric_is_on_the_dashboard_or_watched() -> None:
    """A metric that nobody would ever see is not published."""
    text = " ".join(expressions())
    unseen = {name for name in sample_names() if not name.endswith(("_sum", "_count")) and name not in text}
    assert unseen == set()


def test_the_dashboard_can_be_provisioned() -> None:
    """Every panel asks the chosen Prometheus, and no two panels share an id or a place."""
    panels = DASHBOARD["panels"]
    queried = [panel for panel in panels if panel["type"] != "row"]
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in queried)
    assert all(target["datasource"]["uid"] == "${datasource}" for panel in queried for target in panel["targets"])
    assert all(panel["description"] for panel in queried)
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)


@pytest.mark.parametrize("rule", [r for g in RULES["groups"] for r in g["rules"]], ids=lambda rule: rule["alert"])
def test_every_alert_says_how_bad_what_and_where_to_read(rule: dict[str, dict[str, str]]) -> None:
    """An alert carries a severity, a summary and the address of its runbook paragraph."""
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["annotations"]["runbook"] == f"docs/operations.md#{str(rule['alert']).lower()}"


def test_the_settings_file_lists_every_setting() -> None:
    """With its comment signs taken off, the shipped settings file is valid and complete."""
    text = DEPLOY.joinpath("schoolgate.toml").read_text()
    values = tomllib.loads(re.sub(r"(?m)^# (?=[a-z_]+ = )", "", text))
    assert list(values) == list(Settings.model_fields)
    Settings.model_validate(values)
    Settings.model_validate(tomllib.loads(text))


@pytest.mark.parametrize(
    ("name", "command"),
    [("schoolgate", "run"), ("schoolgate-keeper", "keeper"), ("schoolgate-answerer", "answerer")],
)
def test_units_confine_what_they_start(name: str, command: str) -> None:
    """No unit runs as root, gains privileges, writes outside its state or leaves a core with keys in it."""
    service = unit(f"{name}.service")["Service"]
    assert service["ExecStart"].endswith(f"/schoolgate {command}")
    assert service["User"] == "schoolgate"
    assert service["StateDirectoryMode"] == "0700"
    assert service["NoNewPrivileges"] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    assert service["LimitCORE"] == "0"
    assert int(service["LimitNOFILE"]) >= 2**16


def test_the_ruleset_touches_its_own_table_only() -> None:
    """No statement of the nftables ruleset names another table, and none flushes."""
    ruleset = DEPLOY.joinpath("nftables/transparent.nft").read_text()
    assert set(re.findall(r"^\s*(?:delete )?table (.+?)(?: \{)?$", ruleset, re.MULTILINE)) == {"inet schoolgate"}
    assert not re.search(r"^\s*flush", ruleset, re.MULTILINE)
