"""Files that actmax needs and does not carry: fetched once, verified, kept in the user's cache."""
