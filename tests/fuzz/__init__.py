"""Damaged and hostile files for every reader: ``python -m tests.fuzz --inputs 100000`` from the repository's root.

A reader may give a valid object, or raise ``ValueError``, ``TypeError``, ``FileNotFoundError`` or a ``PyvalueError``
with a message that can be printed. Whatever else happens is a finding.
"""
