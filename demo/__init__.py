"""`make demo`: the registry does its whole job on real robot policies, in the terminal.

packages  the policies come from a package index, checked by digest
policies  which they are, their cards, and what is changed in them
walk      what is measured of them
server    `node-data serve` on a free port
screen    how the story looks
story     the story, chapter by chapter; every figure in it is measured while it runs
"""
