"""What the same release costs elsewhere, by prices of us-east-1 without what AWS gives for free."""

import math

from benchmarks import report
from lightgate.outcome.cost import PRICED

# In dollars, as of November 2025. Lightgate's own prices are in lightgate.outcome.cost.
PIPELINE_MINUTE, BUILD_MINUTE = 0.002, 0.005
RUNNER_HOUR, HOURS_OF_A_MONTH = 0.0168, 730


def table(seconds: float, dollars: float) -> str:
    """For a release that takes so long, and costs so much with Lightgate."""
    minutes = math.ceil(seconds / 60)
    pipeline = minutes * (PIPELINE_MINUTE + BUILD_MINUTE)
    runner = RUNNER_HOUR * HOURS_OF_A_MONTH
    rows = [
        [f"Lightgate ({PRICED})", f"{dollars:.4f}", f"{100 * dollars:.2f}"],
        [
            f"CodePipeline V2, and CodeBuild that waits {minutes} minutes",
            f"{pipeline:.4f}",
            f"{100 * pipeline:.2f}",
        ],
        ["a runner that is always on (t4g.small)", f"{runner / 100:.4f}", f"{runner:.2f}"],
    ]
    return report.table(["", "dollars for a release", "for 100 releases a month"], rows)
