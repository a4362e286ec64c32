"""What a search optimises, and how a sequence begins: embeddings, distributions, token ids, BOS."""
