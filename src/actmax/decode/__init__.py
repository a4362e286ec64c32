"""From optimised vectors to tokens, and the truth about those tokens."""
