"""The HTTP side: Twilio's webhooks, the media socket, health; who may come in; start and stop."""
