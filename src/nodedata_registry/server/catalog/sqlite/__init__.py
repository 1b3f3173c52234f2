"""All that is peculiar to SQLite: connections and pragmas, guards, full-text search, failures.

Another database brings a sibling of this package; tables, migrations and rows stay the same.
"""
