"""What decides how a release ended whose deployment was created."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from lightgate.deployment.status import Service, Status
from lightgate.gate.gate_report import GateReport
from lightgate.migrations.compatibility import Judgement, Verdict, judge_applied, together
from lightgate.migrations.permit import Permit
from lightgate.names import rollback_marker
from lightgate.release.release import ReleaseKind
from lightgate.spec.effect import DEFAULT_AUTOMATIC, Effect
from lightgate.state import RollbackResult
from lightgate.verification.verified import Verified


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentEnd:
    """All that decides how a release ended whose deployment was created.

    `release` is the marker of its deployment. `service` is read after the deployment's end.
    `refusal` says why its gates were never permitted to begin, if they were not, and `no_permit`
    what else kept them from it.
    `may_have_begun` is false only if nothing can be applied without a permit, and there was none.
    `judgement` says what its own migrations mean for the version before, and `earlier` what those
    of other releases do that came after that version. `beside` is about what was applied in no
    plan of its gates.
    `rollback_to` is the version that a person wanted back. `automatic_rollback` are the classes of
    migrations after which the owner wants the previous version back automatically.
    """

    app: str
    execution: str
    release: str | None
    status: Status
    version: int
    previous_version: int | None
    service: Service
    evidence: GateReport
    kind: ReleaseKind = ReleaseKind.IMAGE
    rollback_to: int | None = None
    automatic_rollback: Sequence[Effect] = DEFAULT_AUTOMATIC
    refusal: str | None = None
    no_permit: Permit | None = None
    may_have_begun: bool
    judgement: Judgement
    earlier: Judgement
    beside: Judgement = field(default_factory=lambda: Judgement(verdict=Verdict.NONE))
    verified: Verified | None = None
    rollback_result: RollbackResult | None = None

    @property
    def before(self) -> int | None:
        """The version that has what served before: a command's own one, once that is active."""
        is_own = self.kind is ReleaseKind.COMMAND and self.serves
        return self.version if is_own else self.previous_version

    @property
    def serves(self) -> bool:
        """Whether the release's own deployment serves."""
        return self.service.serves_own(self.version, self.release)

    def serves_again(self, version: int) -> bool:
        """Whether the deployment with which the release has gone back serves."""
        marker = None if self.release is None else rollback_marker(self.release)
        return self.service.serves_own(version, marker)

    @property
    def does_what_served_do_well(self) -> bool:
        """Whether what served before serves still, and has answered."""
        before = self.before
        return (
            before is not None
            and self.service.serves(before)
            and self.verified is not None
            and self.verified.is_good(before)
        )

    @property
    def may_have_changed(self) -> bool:
        """Whether its gates have changed a database, or may have, for all that is known."""
        changed = self.evidence.changed
        return self.may_have_begun if changed is None else changed

    @property
    def on_the_schema_as_it_is(self) -> Judgement:
        """The judgement on all migrations that are applied, or may be, for the previous version."""
        back = self.rollback_result
        is_reversed = back is not None and back.has_reversed
        own = [self._own] if self.may_have_changed and not is_reversed else []
        return together([self.earlier, self.beside, *own])

    @property
    def _own(self) -> Judgement:
        """The judgement on this release: after a failure, only on applied migrations."""
        names = [one.name for one in self.evidence.migrations]
        return judge_applied(self.judgement, self.evidence.effect, names, self.automatic_rollback)
