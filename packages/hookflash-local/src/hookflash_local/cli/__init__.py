"""The commands that this distribution adds to `hookflash`: one file per command."""
