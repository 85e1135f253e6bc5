"""One module for each state of the state machine and each event: what it does, in its order.

Steps never import each other. What two of them share is in `operations`.
"""
