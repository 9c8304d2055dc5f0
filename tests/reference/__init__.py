"""Reference cases and their runner: `python -m tests.reference DIR...` (the format is described in manifest.py).

A system adds its cases in `tests/reference/<system>/` and its procedures in `procedures/<system>.py` ('-' becomes
'_'), a dictionary `PROCEDURES`: kind -> function(Case) -> {output name: array or plain value}; modules beside it called
<system>_PART.py add theirs. Tests run the same cases through `pytest_cases`.
"""
