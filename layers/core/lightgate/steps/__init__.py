"""One module for each function of the stack: a state of the state machine, or an event.

Steps never import each other. Code that two steps share is in `operations`.
"""
