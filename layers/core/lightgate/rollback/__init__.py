"""The rules of a rollback: which version to deploy again, and whether that is safe.

Pure rules. The state that rolls back is in `steps.roll_back`.
"""
