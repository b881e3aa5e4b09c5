"""A company in motion: both vendors' sandboxes, a whole installation, and a story to watch."""
