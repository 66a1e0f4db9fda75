"""Receivers: addresses for senders with webhooks of their own, and what came to them."""
