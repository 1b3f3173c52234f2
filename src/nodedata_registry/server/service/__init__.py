"""The registry's use cases, as plain functions over a `Registry` and a `Caller`.

A service finds what was asked for, lets the rules of `core` decide, and writes what they decided in
one catalog transaction together with its event. It knows no wire format and no web framework.
"""
