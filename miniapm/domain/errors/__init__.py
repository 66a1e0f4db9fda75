"""Errors: their words (values), how payloads (reading) and exceptions become occurrences, and what
makes two of them the same (frames, fingerprints)."""
