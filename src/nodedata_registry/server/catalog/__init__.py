"""The registry's database: `open_catalog` gives a `ports.Catalog` kept in one SQLite file."""

from nodedata_registry.server.catalog.sqlite.catalog import SqliteCatalog as SqliteCatalog
from nodedata_registry.server.catalog.sqlite.catalog import open_catalog as open_catalog
