"""RemoveRehearsal: delete the temporary instance and service, whatever came before."""

from datetime import timedelta

from lightgate.operations.remove_temporary import remove_temporary
from lightgate.rehearsal.rehearsal_state import RehearsalPlan, RehearsalState, Removal
from lightgate.runtime import Runtime

# Reconcile goes on with what is left then.
_LONGEST = timedelta(hours=1)


def remove_rehearsal(state: RehearsalState, runtime: Runtime) -> Removal:
    """Whether both are gone. Idempotent, and without effect if nothing was created."""
    now = runtime.now()
    begun_at = state.removal.begun_at if state.removal is not None else now
    if not isinstance(state.admission, RehearsalPlan):
        return Removal(status="REMOVED", begun_at=begun_at)
    left = remove_temporary(state.admission.name, runtime)
    if not left:
        return Removal(status="REMOVED", begun_at=begun_at)
    is_over = now - begun_at > _LONGEST
    return Removal(status="LEFT" if is_over else "REMOVING", begun_at=begun_at, left=left)
