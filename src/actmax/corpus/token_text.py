"""The text with which a single token is shown."""

from __future__ import annotations

from functools import cache

from transformers import PreTrainedTokenizerBase


def token_text(tokenizer: PreTrainedTokenizerBase, token: int) -> str:
    """The text of one token; bytes that do not form a whole character are written ``<0xF0><0x9F>``."""
    text: str = tokenizer.decode([token], clean_up_tokenization_spaces=False)  # type: ignore[assignment]
    if text and "\ufffd" not in text:
        return text
    raw = tokenizer.convert_ids_to_tokens(token)
    if not isinstance(raw, str):
        return f"<id {token}>"
    known = _bytes_of_characters()
    if any(character not in known for character in raw):
        return raw
    data = bytes(known[character] for character in raw)
    return "".join(chr(byte) if 32 <= byte < 127 else f"<0x{byte:02X}>" for byte in data)


@cache
def _bytes_of_characters() -> dict[str, int]:
    """How byte-level BPE writes bytes: printable Latin-1 as itself, the rest from U+0100 on, in order."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + n): byte for n, byte in enumerate(rest)}
