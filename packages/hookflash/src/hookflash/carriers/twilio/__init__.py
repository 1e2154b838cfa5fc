"""Twilio: its webhooks, TwiML, REST API and media socket.

Codecs without I/O: `messages`, `twiml`, `webhooks`, `signature`, `urls`. Shells: `rest`, `media`.
"""
