"""Dictionaries (sparse autoencoders and transcoders): files in many formats, and one set of formulas."""
