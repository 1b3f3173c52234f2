"""Publishing: open an upload, send blocks, commit. All or nothing.

check / open_upload ─► examine (every rule, over the header ranges that the client sent)
put_block            ─► verified, durable, leased to the workspace
commit               ─► ingest (every byte re-read and hashed) ─► examine again ─► one transaction
"""

from nodedata_registry.server.service.publish.commit import commit as commit
from nodedata_registry.server.service.publish.order import OrderFile as OrderFile
from nodedata_registry.server.service.publish.order import PublishOrder as PublishOrder
from nodedata_registry.server.service.publish.upload import Checked as Checked
from nodedata_registry.server.service.publish.upload import OpenedUpload as OpenedUpload
from nodedata_registry.server.service.publish.upload import check as check
from nodedata_registry.server.service.publish.upload import open_upload as open_upload
from nodedata_registry.server.service.publish.upload import put_block as put_block
