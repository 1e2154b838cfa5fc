"""Run whole calls on one machine without an account, in the browser or in the terminal."""
