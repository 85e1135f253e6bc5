"""`lightgate check`: the classes of a project's migrations, for the user's own CI.

`command` is what click calls. `project` runs the project's own Python, `changes` asks git, and the
others are rules and texts.
"""
