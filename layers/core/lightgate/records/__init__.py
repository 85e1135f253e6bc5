"""What goes on record of a release when it ends, as plain values.

Reading and writing the table is in `aws`.
"""
