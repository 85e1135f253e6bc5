"""The rehearsal of a plan on a temporary copy of the database.

Rules and values only: the steps carry them out.
"""
