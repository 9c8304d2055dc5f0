"""Official downloads to the layouts that motion4d.data reads; run as python -m prepare.NAME."""
