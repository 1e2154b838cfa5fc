"""For tests of TwiML applications: a local Twilio as a pytest fixture."""
