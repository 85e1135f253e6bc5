"""One process that compares cases, in the Python and Django that are to be tried.

It reads its task from the command line as JSON, and writes a line of JSON for each case.
"""

import json
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

type Line = dict[str, Any]


@dataclass
class Worker:
    task: dict[str, Any]
    ab: Any
    seen: set[str] = field(default_factory=set)
    """The kinds of misses that have been made small."""
    waiting: list[tuple[int, str, Any, Any]] = field(default_factory=list)
    """Misses that are made small when the database is free of their world."""

    def lines_of_world(self, number: int) -> Iterator[Line]:
        from tests.compatibility_fuzz.generate import PLANS, standing_world

        first = number * PLANS
        cases = [n for n in range(first, first + PLANS) if n in range(*self.task["cases"])]
        done: set[int] = set()
        began = time.process_time()
        try:
            for made in standing_world(self.task["seed"], number, self.ab):
                yield {
                    "world": number,
                    "statements": len(made.world.before),
                    "offered": len(made.world.case.statements),
                    "refused": made.refused,
                    "seconds": time.process_time() - began,
                }
                for case in cases:
                    began = time.process_time()
                    line = self.line_of_case(case, made)
                    done.add(case)
                    yield {"case": case, "seconds": time.process_time() - began, **line}
        except Exception as error:  # noqa: BLE001 - a fault of the generator, which is counted
            for case in cases:
                if case not in done:
                    done.add(case)
                    yield {"case": case, "crash": crash_of(error), "seconds": 0}
        for case in cases:
            if case not in done:
                yield {"case": case, "skipped": "the server takes none of the models", "seconds": 0}
        while self.waiting:
            yield self.small(*self.waiting.pop())

    def line_of_case(self, case: int, made: Any) -> Line:
        from tests.compatibility_fuzz.changes import bare_clone
        from tests.compatibility_fuzz.generate import more_statements, plan_of, writes_for
        from tests.compatibility_fuzz.kinds import kinds_of_plan
        from tests.compatibility_fuzz.verdicts import ALARM, MISS, judge

        world, seed = made.world, self.task["seed"]
        try:
            plan = plan_of(seed, case, self.ab, world.base)
        except Exception as error:  # noqa: BLE001
            return {"crash": f"plan: {crash_of(error)}"}
        if not plan:
            return {"skipped": "no plan"}
        try:
            kinds = kinds_of_plan(plan, bare_clone(world.base))
            more = more_statements(seed, case, made, plan)
            outcome = world.try_plan(plan, writes_for(seed, case, made.rows), more)
        except Exception as error:  # noqa: BLE001
            return {"crash": f"comparison: {crash_of(error)}"}
        line: Line = {
            "kinds": kinds,
            "class": outcome.claim.label,
            "operations": outcome.claim.operations,
        }
        if outcome.problem:
            return {**line, "skipped": f"does not apply: {outcome.problem}"}
        verdict = judge(outcome.claim, outcome.symptoms)
        line |= {
            "verdict": verdict,
            "symptoms": sorted({one.kind for one in outcome.symptoms}),
            "weak": bool(outcome.symptoms) and all(one.is_weak for one in outcome.symptoms),
            "compared": outcome.compared,
            "written": outcome.written,
            "breaking": outcome.claim.breaking,
        }
        if verdict == MISS:
            line |= self.miss(case, made, plan, outcome, more)
        elif verdict == ALARM and len(outcome.claim.breaking) == 1:
            (one,) = outcome.claim.breaking
            why = [*outcome.claim.operations[one], ""][3]
            line["kind"] = kinds[one] + (f" ({why})" if why else "")
        return line

    def miss(self, case: int, made: Any, plan: Any, outcome: Any, more: Any) -> Line:
        """Its kind: the operations that it needs, and what old code cannot do."""
        from tests.compatibility_fuzz.changes import bare_clone
        from tests.compatibility_fuzz.generate import writes_for
        from tests.compatibility_fuzz.kinds import kinds_of_plan
        from tests.compatibility_fuzz.verdicts import MISS, judge

        world = made.world
        symptom = next(one for one in outcome.symptoms if not outcome.claim.allows(one))
        writes = writes_for(self.task["seed"], case, made.rows)
        for number in reversed(range(len(plan))):
            less = [*plan[:number], *plan[number + 1 :]]
            try:
                found = world.try_plan(less, writes, more) if less else None
            except Exception:  # noqa: BLE001 - the rest of the plan needs the operation
                found = None
            if found and not found.problem and judge(found.claim, found.symptoms) == MISS:
                same = [one for one in found.symptoms if one.kind == symptom.kind]
                if same:
                    plan, symptom = less, same[0]
        kinds = kinds_of_plan(plan, bare_clone(world.base))
        kind = f"{' + '.join(kinds)}: {symptom.kind}"
        if kind not in self.seen and self.task["shrink"]:
            self.seen.add(kind)
            state = bare_clone(world.base)
            for app, operation in plan:
                operation.state_forwards(app, state)
            whole = replace(
                world.case,
                statements=(*world.case.statements, *more),
                plan=tuple(plan),
                writes=tuple(writes(state.apps)),
            )
            self.waiting.append((case, kind, whole, symptom))
        return {"kind": kind, "symptom": asdict(symptom)}

    def small(self, case: int, kind: str, whole: Any, symptom: Any) -> Line:
        from tests.compatibility_fuzz.shrink import shrunk, source_of

        try:
            least, outcome = shrunk(whole, symptom, tries=self.task["shrink"])
            about = f"{kind} (seed {self.task['seed']}, case {case})"
            text = source_of(least, outcome, about) if outcome else ""
        except Exception as error:  # noqa: BLE001
            return {"small": kind, "text": "", "crash": f"shrinking: {crash_of(error)}"}
        return {"small": kind, "text": text or f"# {about}: cannot be reproduced alone"}


def main(task: Line) -> None:
    warnings.simplefilter("ignore")  # naive dates, which some statements have on purpose
    from tests.compatibility_fuzz.django_setup import abilities, set_up

    set_up(task["database"])
    plant(task.get("planted", ""))
    from django.db import connection

    worker = Worker(task, abilities(connection))
    for number in task["worlds"]:
        for line in worker.lines_of_world(number):
            print(json.dumps(line, default=str), flush=True)


def plant(label: str) -> None:
    """Put a classifier that always gives this class in the place of the real one."""
    from lightgate.gate.programs.django_classifier import operations

    if label:
        operations.classify = lambda *_: (label, "", [])


def crash_of(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [one for one in frames if "compatibility_fuzz" in one.filename] or list(frames)
    return f"{type(error).__name__}: {str(error)[:200]} ({own[-1].name}:{own[-1].lineno})"


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
