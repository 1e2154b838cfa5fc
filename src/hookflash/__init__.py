"""Hookflash: an AI agent answers a phone line and brings a human onto the live call."""
