"""Summaries of activations: statistics, histograms and examples, all of which merge in any order."""
