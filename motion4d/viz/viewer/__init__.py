"""A reconstruction in the browser, in space and time: `python -m motion4d.viz.viewer RUN` (extra: viewer)."""
