"""Search procedures over an input: a scorer that counts, methods that propose, a runner that stops."""
