"""What a release is, what asks for one, and which of an app's releases may act.

Pure rules. The table that holds the lock is in `aws`.
"""
