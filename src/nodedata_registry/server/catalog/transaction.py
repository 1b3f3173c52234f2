"""All row groups on one connection: what `read()` and `write()` hand out."""

from __future__ import annotations

from sqlalchemy import Connection

from nodedata_registry.server import ports
from nodedata_registry.server.catalog.accounts import Accounts
from nodedata_registry.server.catalog.attestations import Attestations
from nodedata_registry.server.catalog.candidates import CandidateCache
from nodedata_registry.server.catalog.contents import Contents
from nodedata_registry.server.catalog.diffs import Diffs
from nodedata_registry.server.catalog.downloads import Downloads
from nodedata_registry.server.catalog.events import Events
from nodedata_registry.server.catalog.meta import Meta
from nodedata_registry.server.catalog.models import Models
from nodedata_registry.server.catalog.revisions import Revisions
from nodedata_registry.server.catalog.uploads import Uploads
from nodedata_registry.server.catalog.workspaces import Workspaces


class Transaction:
    """`ports.WriteTransaction` on a connection: made once for it, serves one transaction after another."""

    def __init__(self, connection: Connection, cache: CandidateCache | None) -> None:
        self.connection = connection
        self.meta: ports.MetaRows = Meta(connection)
        self.accounts: ports.AccountRows = Accounts(connection)
        self.workspaces: ports.WorkspaceRows = Workspaces(connection)
        self.models: ports.ModelRows = Models(connection)
        self.revisions: ports.RevisionRows = Revisions(connection, cache)
        self.contents: ports.ContentRows = Contents(connection)
        self.uploads: ports.UploadRows = Uploads(connection)
        self.diffs: ports.DiffRows = Diffs(connection)
        self.attestations: ports.AttestationRows = Attestations(connection)
        self.downloads: ports.DownloadRows = Downloads(connection)
        self.events: ports.EventRows = Events(connection)
