"""What a technician puts on the gateway and beside it: data, found through ``importlib.resources.files("deploy")``.

``schoolgate.toml`` the settings file; ``systemd/`` the units; ``nftables/`` the ruleset of the transparent mode;
``prometheus/`` the scrape configuration and the alerts; ``grafana/`` the dashboard.
"""
