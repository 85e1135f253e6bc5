"""The command `lightgate`: what a person runs before a release. Each command has a module.

Nothing here decides anything about a spec or a release: that is in `lightgate`.
"""
