"""Results as plain data: what they hold, and how they get onto disk and back."""
