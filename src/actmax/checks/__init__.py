"""Is it true? The assumptions of activation maximization, each measured with its controls."""
