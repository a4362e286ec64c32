"""Models: loading them, naming the places in their forward pass, and reading those places."""
