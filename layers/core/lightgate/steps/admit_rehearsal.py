"""AdmitRehearsal: check whether a rehearsal can be carried out, and put it on record."""

from lightgate.errors import RefusedError
from lightgate.operations.app_stage import stage_of
from lightgate.operations.plan_rehearsal import plan_rehearsal
from lightgate.rehearsal.record import begun_record
from lightgate.rehearsal.rehearsal_request import parse_rehearsal_request
from lightgate.rehearsal.rehearsal_state import Refusal, RehearsalPlan, RehearsalState
from lightgate.release.unchecked_request import requested_app
from lightgate.runtime import Runtime


def admit_rehearsal(state: RehearsalState, runtime: Runtime) -> RehearsalPlan | Refusal:
    """PROCEED, or REFUSED with every reason known by then. Idempotent: it creates nothing."""
    try:
        request = parse_rehearsal_request(state.request)
        plan = plan_rehearsal(request, state, runtime)
    except RefusedError as error:
        runtime.logger.warning("the rehearsal is refused", reasons=error.reasons)
        return Refusal.of(error, stage=stage_of(requested_app(state.request), runtime))
    runtime.rehearsals.begin(begun_record(plan, state))
    return plan
