"""Twilio: the language of its webhooks, TwiML, REST and media socket.

Codecs without I/O: `messages`, `twiml`, `webhooks`, `signature`, `urls`. Shells: `rest`, `media`.
"""
