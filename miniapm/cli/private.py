"""Files that only their owner may read."""

import os


def keep_files_private() -> None:
    """From now on this process makes files for its owner alone: the database holds names and
    hashes."""
    os.umask(os.umask(0o077) | 0o077)
