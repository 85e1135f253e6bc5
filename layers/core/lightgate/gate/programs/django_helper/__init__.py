"""The Django helper, module by module. It starts in `__main__`. `build_gate` joins the modules into
one text, so they import only each other, Django and the standard library of Python 3.8."""
