"""The console's server side: what is live and what was, shown to people who have signed in."""
