"""Deleting what has had its time, in slices so small that nobody who writes has to wait.

Freed pages are used again, so the file stops growing; nothing is ever vacuumed.
"""
