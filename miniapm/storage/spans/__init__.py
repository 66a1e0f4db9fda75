"""The SQL of spans: batches (record, traces), the entries in them (find, recent), their names."""
