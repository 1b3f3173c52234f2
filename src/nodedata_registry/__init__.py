"""A model registry with semantic versions that are checked against evidence."""
