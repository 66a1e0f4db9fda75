"""Spans: their words (values), how entries are named (endpoints) and where their time went
(categories), how batches are built (batches) and traces put together again (trees)."""
