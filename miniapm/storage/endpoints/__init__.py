"""Reading endpoints: what was counted, how long it took, what changed at a deploy."""
