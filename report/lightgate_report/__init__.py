"""The pages that show apps and releases: for a dashboard widget, a file and the demo.

They are HTML with inline SVG, and need no JavaScript. Only `render` and `widget` need Jinja2.
"""
