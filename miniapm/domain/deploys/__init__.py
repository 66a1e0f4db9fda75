"""Deploys: what they are (values), how they arrive (payload, reading) and fold (lifecycle), what
each was among the others (kinds), and how they are shown (shown)."""
