"""One call per question: what the command line and a notebook both use."""
