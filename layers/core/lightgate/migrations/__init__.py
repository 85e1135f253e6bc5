"""The migrations of a release: whether the old version works after them, and when they may begin.

Pure rules. The gate itself, which applies them, is in `gate.programs`.
"""
