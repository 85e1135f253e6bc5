"""What keeps releases from going well: one list of checks for `lightgate doctor` and for Admit.

The rules are pure. They take what AWS has answered, in the shape that it has on the wire, or the
types that a step has read anyway. An answer that lacks what a rule needs raises an error, and its
check is UNKNOWN then.
"""
