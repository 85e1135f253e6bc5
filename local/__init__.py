"""The development tools: a local AWS, the Lightsail emulator, the demo, the generated docs.

Nothing in here runs on AWS. `lightgate` and `functions` never import it.
"""
