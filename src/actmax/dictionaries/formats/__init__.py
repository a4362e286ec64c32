"""One file per format; a new one is a new file here with ``NAME``, ``recognises`` and ``dictionary_of``."""
