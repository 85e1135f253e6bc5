"""What several steps share and carry out with AWS, through the runtime.

Rules that need no AWS call are in the packages below; what only one step does is in that step.
"""
