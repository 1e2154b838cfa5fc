"""Everything that Hookflash needs to run without an account, for development and tests.

carrier     a local Twilio: REST, webhooks, TwiML, media streams, rooms, telephones in the browser
model       a Realtime server: scripted, or with local speech
demo        the demo, in the browser and in the terminal
bench       the benchmarks
simulation  an event loop on a virtual clock, with sockets in memory
audio       recorded speech at telephone quality

The commands of this distribution (`demo`, `call`, `bench`, `ledger`) join those of `hookflash`.
"""
