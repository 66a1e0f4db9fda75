"""One file per page; what a page shows is a dataclass."""
