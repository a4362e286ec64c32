"""Pages that people read: one HTML file each, which opens offline and asks nothing of any network."""
