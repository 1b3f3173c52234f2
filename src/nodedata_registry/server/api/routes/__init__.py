"""The handlers, one module a subject: parse, call one service, render."""
