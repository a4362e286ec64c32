"""What a unit responds to in real text: corpora, windows, summaries, examples, and atlases of them."""
