"""The app spec as values, with all of its keys, and facts that follow from it alone.

Reading a text belongs in `spec_parser`.
"""
