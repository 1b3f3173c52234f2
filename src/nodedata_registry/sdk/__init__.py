"""The Python face of the registry: publish, pin, download, yank and compare from code.

`client` and `aio` are what users hold. Below them: `calls` builds requests and reads answers without
any I/O, `transport` and `inprocess` move bytes, `scan` and `publish` send, `transfer`, `cache` and
`download` fetch. Nothing here needs the `[server]` extra, but `NodeData(path=…)`.
"""
