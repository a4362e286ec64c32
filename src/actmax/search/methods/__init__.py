"""One file per method; a file that defines a class from ``Method`` is all that a new one takes."""
