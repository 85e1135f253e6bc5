"""Lightgate: migration-gated deployments of Django apps on AWS Lightsail containers.

This is the code that runs on AWS. `steps`, `operations` and `runtime` carry a release out, and
`aws` makes the calls. All other packages have rules and values only. The command line is in `cli`,
the local cloud in `local`.
"""

from lightgate.dataclass_methods import use_bytecode

# Before any module of the package makes a dataclass.
use_bytecode()

# The version, in one place. A test compares what cannot read it: the template.
VERSION = "0.1.0"
