"""Small corpora in memory, tokenised by the tiny models' tokenizer."""

from __future__ import annotations

from tests.tiny import tiny_tokenizer

from actmax.corpus.tokens import Tokens, tokens_of_texts

TEXTS = (
    "the cat sat on the mat; a cathedral is no cat's home, and cats are not-cat. The cat ran",
    "cat: the dog saw Anna Bell near the river. Then Bob said that the Dog was in New York with (Eve).",
    "a ship was waiting for the tide and the sea, the sea; not here, NOT there. cannot see it, nor the cat",
    "“cat” 東京 cat! naïve catty the\ncat and the_cat cat2 the cat",
)


def corpus(*texts: str) -> Tokens:
    return tokens_of_texts(texts or TEXTS, tiny_tokenizer(), name="small")
