"""The classifier of migrations, module by module. It starts in `__main__`.

What the Django helper needs only to judge a plan belongs here: it is too large to travel with each
deployment.
"""
