"""How well a team delivers: the five metrics of DORA, folded from deploys and their commits.

Nothing here is stored: each number is derived when it is read, so it follows every correction.
"""
