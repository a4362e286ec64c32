"""What only the method ``hybrid`` uses: population, moves, starts, and the search over one token."""
