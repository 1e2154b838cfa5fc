"""A call again from its journal: timeline, transcript, picture and files."""
