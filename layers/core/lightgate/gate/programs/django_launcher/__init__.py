"""The launcher of the Django helper, module by module. It starts in `__main__`. `build_gate` puts
its text before that of the helper, so it imports only itself and the standard library."""
