"""The classifier, and what measures the command in a rehearsal.

Like the classifier it does not travel in the deployment. A helper measures if the text that it gets
defines `measure`. Python 3.8 and Django 4.2, and later.
"""

from __future__ import annotations

from typing import Any

from lightgate.gate.programs.django_classifier.__main__ import main  # noqa: F401
from lightgate.gate.programs.django_rehearsal.measuring import Measuring


def measure(helper: Any, plan: Any, /) -> Measuring:  # noqa: ANN401 - a helper of this version
    return Measuring(helper, plan)
