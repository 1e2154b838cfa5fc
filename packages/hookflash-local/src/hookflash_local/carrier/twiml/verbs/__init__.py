"""The verbs of TwiML, one module a concern. Importing a module registers its verbs."""
