"""The pages, each drawn on the server from one view of the store."""
