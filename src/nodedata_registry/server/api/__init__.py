"""The HTTP face of the registry: thin handlers that parse, call one service and render.

`edge` is what every request meets first (request id, raw path, rate, body and time limits); then
Litestar routes it to a handler in `routes/`. No rule of the registry lives here, and only this
package knows HTTP statuses.
"""
