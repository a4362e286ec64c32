"""Corpora: from files, the hub or a pinned package to windows of tokens."""
