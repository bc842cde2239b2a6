"""``schoolgate catalogue``: lists that fit a terminal, a host explained, bundles in the open."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

SCHEMAS = {
    path.name: json.loads(path.read_text()) for path in (Path(__file__).parents[3] / "docs/schemas").glob("*.json")
}
REGISTRY = Registry().with_resources((name, Resource.from_contents(schema)) for name, schema in SCHEMAS.items())
WIDEST = 80


def published(value, name: str) -> bool:
    return Draft202012Validator(SCHEMAS[name], registry=REGISTRY).is_valid(value)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("m.facebook.com", ["belongs to Facebook", "facebook.com, which covers", "social-network", "SLT can grant it"]),
        ("https://www.instagram.com/p/1", ["Of that, the host is www.instagram.com", "and of others fbcdn.net"]),
        ("static.xx.fbcdn.net", ["Shared with", "instagram, messenger, threads"]),
        ("dns.google", ["locked: Ways round the gateway (§ 2)"]),
        ("developers.facebook.com", ["belongs to Facebook", "passes always: Documentation for developers"]),
        ("push.apple.com", ["is in no catalogue", "§ 1, bundle apple"]),
        ("www.youtube.com", ["youtube is closed, until granted"]),
        ("teams.microsoft.com", ["microsoft-teams is open", "passes always"]),
        ("www.bbc.co.uk", ["is in no catalogue", "passes, unlisted, and is not recorded"]),
        ("notfacebook.com", ["is in no catalogue", "It is not facebook.com"]),
        ("www.fаcebook.com", ["www.xn--fcebook-2fg.com (written www.fаcebook.com)", "It is not facebook.com"]),
        ("cloudfront.net", ["infrastructure of Amazon CloudFront"]),
        ("printer.local", ["the school's own name"]),
        ("10.1.2.3", ["is an address", "schoolgate why 10.1.2.3"]),
    ],
)
def test_find_explains(bare, asked, said):
    """Which service and why, what the policy makes of it, what a grant opens, what it is not."""
    result = bare("catalogue", "find", asked)
    assert result.code == 0
    text = " ".join(result.out.split())
    assert [phrase for phrase in said if phrase not in text] == []


@pytest.mark.parametrize(
    "asked", ["m.facebook.com", "dns.google", "push.apple.com", "notfacebook.com", "10.1.2.3", "x.local"]
)
def test_find_as_json(bare, asked):
    """One shape for whatever is asked."""
    found = bare("catalogue", "find", asked, "--json").json
    assert published(found, "catalogue-find.json")
    assert (found["host"] or found["address"]) == asked


@pytest.mark.parametrize("asked", ["", "face book", "https://", "a..b", "\x1b]0;x\x07", "x" * 5000, "[::1"])
def test_find_refuses_what_is_no_host(bare, asked):
    """Wrong use, one sentence, and what to write; nothing of it reaches the terminal raw."""
    result = bare("catalogue", "find", asked)
    assert result.code == 2
    assert "is no host name" in result.err
    assert "\x1b" not in result.err


def test_list(bare):
    """Every service, and one category's; the table fits."""
    every = bare("catalogue", "list", "--json").json
    forums = bare("catalogue", "list", "--category", "forum", "--json").json
    assert published(every, "catalogue-list.json")
    assert len(every) >= 200
    assert {service["category"] for service in forums} == {"forum"}
    assert max(map(len, bare("catalogue", "list").out.splitlines())) <= WIDEST
    assert bare("catalogue", "list", "--category", "forums").code == 1


def test_bundles(bare):
    """Each with its purpose and whether it passes; one with its hosts, source and version."""
    every = bare("catalogue", "bundles", "--json").json
    assert published(every, "catalogue-bundles.json")
    assert {bundle["bundle"]: bundle["exempt"] for bundle in every}["apple"] is True
    assert {bundle["bundle"]: bundle["exempt"] for bundle in every}["lesson-sites"] is False
    shown = bare("catalogue", "bundles").out
    assert max(map(len, shown.splitlines())) <= WIDEST
    assert "not used" in shown
    one = bare("catalogue", "bundles", "google").out
    assert "mtalk.google.com" in one
    assert "accounts.youtube.com" in one
    assert "Set up a hostname allowlist" in " ".join(one.split())
    wrong = bare("catalogue", "bundles", "goggle", "--json")
    assert (wrong.code, wrong.error["code"]) == (1, "unknown_bundle")


def test_policy_show_names_the_bundles(bare):
    """As bundles, not as hundreds of hosts; and the choices that were left closed."""
    shown = " ".join(bare("policy", "show").out.split())
    assert "bundle apple, " in shown
    assert "swcdn.apple.com" not in shown
    assert "SLT has left it to the rules" in shown


def test_policy_check_suggests_a_bundle(bare):
    """A bundle that there is not: the line, and the nearest."""
    path = bare.state_dir.parent / "policy.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "school: {name: A, contact: b}\nnetworks: {estate: {}}\n"
        'rules: [{name: E, clause: "3", verdict: deny}]\nexempt:\n  - bundle: aple\n'
    )
    result = bare("policy", "check", str(path))
    assert result.code == 1
    assert f"{path}:5: exempt.0.bundle: there is no bundle 'aple'; did you mean apple?" in result.err
