"""Read-only questions to the store, for pages, APIs, exports and commands."""
