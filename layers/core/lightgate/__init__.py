"""Lightgate: migration-gated deployments of Django apps on AWS Lightsail containers.

The modules of this package are rules and values: they know no AWS client, no clock and
no environment. `lightgate.aws` holds one adapter for each AWS service, and
`lightgate.runtime` joins the two for a Lambda function.
"""
