"""For ``mitmdump -s proxy/addon.py``: schoolgate's enforcement in stock mitmproxy. The keeper runs beside it."""

import os

from proxy import settings, stock  # modules, not functions: mitmproxy takes a name such as ``load`` here for a hook

addons = [stock.Stock.under_mitmdump(settings.load(os.environ).settings)]
