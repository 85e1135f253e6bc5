"""The programs that run inside the user's own image, on Python 3.8 and later.

`build_gate` makes the text of each one, for `python3 -ISc SOURCE ...`. They import nothing of
lightgate, and nothing else in lightgate imports them, with one exception: `lightgate.gate.masking`
takes from the supervisor what counts as a secret. Parameters before a `/` get short names in the
text, which has little room. `django_check` has no text: the command line runs it from the modules.
"""
