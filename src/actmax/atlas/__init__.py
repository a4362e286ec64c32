"""Atlases: observations of every unit of a model, on disk."""
