"""Runs the answerer with less patience for what a client leaves queued, so that a test need not wait for a minute."""

import os


def main() -> int:
    from proxy import answerer, enforcing, settings, sweeping  # noqa: PLC0415 -- only in the process of its own

    sweeping.FIGURES_EVERY = 0.05
    enforcing.DELIVERED_WITHIN = 3.0
    return answerer.main(settings.load(os.environ).settings)


if __name__ == "__main__":
    raise SystemExit(main())
