"""Model files and corpora that are fetched: pinned, checked by hash, and kept in the cache."""
