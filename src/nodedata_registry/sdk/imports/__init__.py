"""Bringing existing histories in: from folders, git repositories, Hub endpoints, MLflow servers.

    source ─► releases ─► plan (which version each becomes; what does not map, and why)
                          └► execute: fetch one, make a card if none passes, publish, next

A source says what it has; the planner is pure; one executor publishes, lowest version first. What the
gate finds is recorded with each revision and not enforced. Interrupted, the same call goes on: what is
published is seen from its record, what was fetched lies in the staging folder, what was sent counts.
"""
