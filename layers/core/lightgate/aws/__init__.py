"""The only package that calls AWS: one module for each service or table.

Each adapter gets its client as an argument, and returns values of `lightgate`. It lets unexpected
errors pass, because the state machine retries them. Rules and decisions do not belong here.
"""
