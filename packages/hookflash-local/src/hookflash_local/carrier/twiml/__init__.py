"""TwiML: grammar, parsing, fetching, and the execution of its verbs."""
