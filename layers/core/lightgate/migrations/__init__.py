"""The migrations of a release: whether rollback is safe after them, and when they may begin.

Pure rules. The gate, which applies the migrations, is in `gate.programs`.
"""
