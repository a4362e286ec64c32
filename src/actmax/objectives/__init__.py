"""What to maximise: weighted sums of terms, one score per sequence."""
