"""Outgoing webhooks as they are stored, and the job that tells what happened."""
