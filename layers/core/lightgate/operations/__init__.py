"""Actions with AWS calls that several steps share.

Rules without AWS calls are in the packages below. The actions of a single step are in `steps`.
"""
