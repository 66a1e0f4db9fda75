"""What a deploy did: each endpoint after it compared with its own past.

The rule and what it reaches: README, "How a verdict is reached". `windows` says which minutes are
compared, `segments` reads figures out of them, `shifts` measures how far they moved, `swings` how
far they move without a deploy, `rules` when that is a change, `verdicts` what all of it comes to.
"""
