"""Element-level arithmetic on weights: canonical bytes, digests, exact counts of what changed."""
