"""From the text of an app spec to its values, or to every problem of the text.

What follows from a valid spec belongs in `app_spec`.
"""
