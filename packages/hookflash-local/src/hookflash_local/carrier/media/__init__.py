"""Audio: playout, sources, media streams and recordings."""
