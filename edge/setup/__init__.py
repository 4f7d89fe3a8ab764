"""``canopy setup``: from a fresh image to a believed reading.

It asks only what it cannot find out, tries everything at once that can be tried, and writes the configuration as a
whole at the end: until then nothing has changed, and what was answered is kept for the next time.
"""
