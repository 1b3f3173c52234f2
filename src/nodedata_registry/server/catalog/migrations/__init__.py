"""The history of the catalog's tables, run by `migrate`; one file a step in `versions`.

A step is frozen once released: it spells its tables out and imports none of `tables`. Triggers are no
part of it, because `migrate` makes them anew after every upgrade.
"""
