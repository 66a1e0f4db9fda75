"""What the rows of a database tell about why something is missing, and what to do about it."""
