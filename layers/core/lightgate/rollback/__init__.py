"""Which version a release may roll back to, and what stands against it.

Pure rules. The step that rolls back is `steps.roll_back`.
"""
