"""Programs that write files of this repository from other files of it.

Nothing in here runs while Lightgate, the local cloud or a test runs.
"""
