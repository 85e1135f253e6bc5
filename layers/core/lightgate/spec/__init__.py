"""The app spec: its keys, its parser with every problem of a text, and its warnings.

Pure rules. The deployment that a spec becomes is in `deployment`.
"""
