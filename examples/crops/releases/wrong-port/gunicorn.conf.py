def on_starting(server):
    """The port moved here, and nobody has told the spec."""
    server.cfg.set("bind", "0.0.0.0:9000")
