"""Run Hookflash without an account, for development and tests.

carrier     a local Twilio: REST, webhooks, TwiML, media streams, conferences, phones in the browser
model       a Realtime server: scripted, or with local speech
demo        the demo, in the browser and in the terminal
bench       the benchmarks
simulation  an event loop on a virtual clock, with sockets in memory
audio       recorded speech at telephone quality

This distribution adds the commands `demo`, `call`, `bench` and `ledger` to `hookflash`.
"""
