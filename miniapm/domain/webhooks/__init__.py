"""Telling people: which events there are, what is sent and signed, when it is tried again."""
