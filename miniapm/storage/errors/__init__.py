"""The SQL of errors: groups (groups), counts (counts), occurrences (occurrences), recording."""
