"""Deploys: what they are (values), how they arrive (payload), fold (lifecycle) and read (kinds)."""
