"""One file per method; a file that defines a method and names it in ``METHODS`` is all that it takes."""
