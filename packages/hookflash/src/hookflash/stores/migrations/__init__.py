"""The steps from an empty database to the newest tables. None of them destroys data."""
