"""The SQL of rollups: adding to them (flush), and figures out of them (series, totals)."""
