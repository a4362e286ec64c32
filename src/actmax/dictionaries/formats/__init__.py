"""One file a format; a new format is one new file here, with ``NAME``, ``recognises`` and ``dictionary``."""
