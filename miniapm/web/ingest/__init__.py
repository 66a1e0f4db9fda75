"""Accepting payloads: bytes in, committed rows, a short answer."""
