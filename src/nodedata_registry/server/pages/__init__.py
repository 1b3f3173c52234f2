"""The pages that people read: views (pure), templates, static files, thin handlers.

`page_handlers(Site(data, sessions))` is what the application mounts; `Site.error_page` is what it
answers outside the API when nothing is mounted at an address or something unforeseen breaks.
"""

from __future__ import annotations

from nodedata_registry.server.pages.data import PageData
from nodedata_registry.server.pages.handlers import page_handlers
from nodedata_registry.server.pages.session import Sessions
from nodedata_registry.server.pages.site import Site

__all__ = ["PageData", "Sessions", "Site", "page_handlers"]
