"""What a policy says of a destination before anything is known of its name."""

import pytest

from policies.model import Policy
from policies.names import address_literal, host_name


@pytest.mark.parametrize(
    ("destination", "port", "opens"),
    [
        ("www.bbc.co.uk", 443, True),
        ("www.bbc.co.uk", 8443, False),
        ("printer.local", 8443, True),
        ("10.1.2.3", 9100, True),
        ("10.2.2.3", 9100, False),
        ("192.0.2.10", 9000, True),
        ("192.0.2.10", 9001, False),
        ("mail.example.org", 993, True),
        ("mail.example.org", 995, False),
    ],
)
def test_a_port_is_open_where_something_on_it_could_pass(policy: Policy, destination, port, opens):
    """On any host for the web's ports, else on the school's own hosts and on what it lists."""
    assert policy.opens_port(address_literal(destination) or host_name(destination), port) is opens
