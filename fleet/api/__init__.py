"""Everything below ``/api/v1``: one file for each resource, one shape of errors, one way to page."""
