"""Runs the answerer with a shorter look at its own certificate's file, so that a test need not wait for it."""

import os
from datetime import timedelta


def main() -> int:
    from proxy import answerer, own_certificate, settings  # noqa: PLC0415 -- only in the process of its own

    own_certificate.LOOKED_AT_EVERY = timedelta(seconds=0.05)
    return answerer.main(settings.load(os.environ).settings)


if __name__ == "__main__":
    raise SystemExit(main())
