"""A whole call on one machine, and everything that is made of it: timeline, transcript, files."""
