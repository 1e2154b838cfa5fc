"""MCP servers as a source of tools, with the `mcp` package. Import its modules only when needed:
that package takes more than a second to import."""
