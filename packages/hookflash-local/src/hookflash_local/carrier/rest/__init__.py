"""The REST API (2010-04-01): one module per resource."""
