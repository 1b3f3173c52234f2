"""Block stores: adapters of `server.blob_port.BlobStore`; the local disk is the default."""
