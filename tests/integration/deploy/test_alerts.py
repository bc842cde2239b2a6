"""The scrape configuration and the alerts, checked by Prometheus' own tool."""

import shutil
import subprocess
from importlib.resources import as_file, files
from pathlib import Path

from ruamel.yaml import YAML

from tests.needs import require, tool

CASES = Path(__file__).parent / "alerts.test.yml"
PROMETHEUS = files("deploy").joinpath("prometheus")


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    require("promtool")
    return subprocess.run([str(tool("promtool")), *arguments], capture_output=True, text=True, check=False)


def test_prometheus_accepts_configuration_and_rules(tmp_path: Path) -> None:
    """A Prometheus starts on what is shipped."""
    with as_file(PROMETHEUS) as folder:
        shutil.copytree(folder, tmp_path / "prometheus")
    checked = promtool("check", "config", str(tmp_path / "prometheus/prometheus.yml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_alerts_fire_when_they_must_and_only_then() -> None:
    """A healthy gateway is quiet; every fault raises its alert, with the words and labels that are promised."""
    tested = promtool("test", "rules", str(CASES))
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_alert_has_a_case_in_which_it_fires() -> None:
    """An alert without a case is an alert nobody has seen fire."""
    rules = YAML(typ="safe").load(PROMETHEUS.joinpath("schoolgate.rules.yml").read_text())
    cases = YAML(typ="safe").load(CASES.read_text())
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    fired = {c["alertname"] for test in cases["tests"] for c in test["alert_rule_test"] if c.get("exp_alerts")}
    quiet = {c["alertname"] for test in cases["tests"] for c in test["alert_rule_test"] if not c.get("exp_alerts")}
    assert fired == quiet == alerts
