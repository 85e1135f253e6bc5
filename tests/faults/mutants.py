"""Planted mutations of the design's promises, each of which the tests must catch.

`python -m tests.faults.mutants`. Each mutation changes one place of a copy of the project, and
then what is to catch it runs there. A mutation whose place is not found fails as well.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
_PACKAGE = "layers/core/lightgate"
_LONGEST_SECONDS = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """`old` stands exactly once in `file`.

    `caught_by` are tests, or runs of the matrix, each with the fault that shows it.
    """

    promise: str
    file: str
    old: str
    new: str
    caught_by: Sequence[str]


MUTANTS = (
    Mutant(
        promise="Deploy looks for its own marker before it creates",
        file="layers/core/lightgate/steps/deploy.py",
        old="""        if (ours := service.deployment_of(release.id)) is not None:
            notes = notes_again""",
        new="""        if (ours := service.deployment_of("nobody's")) is not None:
            notes = notes_again""",
        caught_by=["nothing pending: timed out"],
    ),
    Mutant(
        promise="An outcome is recorded after the permits are void",
        file=f"{_PACKAGE}/operations/conclude_release.py",
        old="        _void_permits(facts.release, facts, runtime)\n",
        new="",
        caught_by=["tests/component/test_conclude_release.py", "tests/workflow/gates"],
    ),
    Mutant(
        promise="A lock is freed only when its execution is known to have ended",
        file=f"{_PACKAGE}/operations/recover_abandoned.py",
        old="    if ended is None or ended.status != GONE:\n        return ended\n",
        new="""    if ended is None:
        return EndedExecution(
            arn=execution, status="ABORTED", started_at=start_of(release), input=None
        )
    if ended.status != GONE:
        return ended
""",
        caught_by=[
            "tests/workflow/queue/test_stopped.py",
            "tests/workflow/queue/test_reconcile.py",
        ],
    ),
    Mutant(
        promise="ROLLED_BACK is said only after the version that is back was verified",
        file=f"{_PACKAGE}/steps/roll_back.py",
        old="            return watch_version(state, answer, version, spec, service, runtime)\n",
        new="            return replace(answer, status=RollbackStatus.GOOD)\n",
        caught_by=["both versions bad: throttled once"],
    ),
    Mutant(
        promise="A permit that is missing or denied is not an open one",
        file=f"{_PACKAGE}/aws/s3_gate_channel.py",
        old="        return self._read(address)[0] or _lost(address)\n",
        new="        return self._read(address)[0] or pending(address.release)\n",
        caught_by=["tests/component/test_s3_gate_channel.py"],
    ),
    Mutant(
        promise="A denied read of a permit is not an empty one",
        file=f"{_PACKAGE}/aws/s3_gate_channel.py",
        old="            if error_code(error) in (*_MISSING, _NO_BUCKET):\n",
        new='            if error_code(error) in (*_MISSING, _NO_BUCKET, "AccessDenied"):\n',
        caught_by=["tests/component/test_s3_gate_channel.py"],
    ),
    Mutant(
        promise="Nothing is permitted before the snapshot is available",
        file=f"{_PACKAGE}/migrations/permit_policy.py",
        old="""    return _decision(
        PermitAction.WAIT, f"The snapshot is not available yet: {detail_of(backup.state)}."
    )
""",
        new="    return None\n",
        caught_by=["tests/unit/migrations/test_permit_policy.py"],
    ),
    Mutant(
        promise="A snapshot of this name is looked at before another one is wanted",
        file=f"{_PACKAGE}/aws/rds.py",
        old="            if _is(error, self._kind.exists):\n"
        "                return self._existing(snapshot, database, app, release)\n",
        new="",
        caught_by=["good: killed after"],
    ),
    Mutant(
        promise="One release of an app at a time",
        file=f"{_PACKAGE}/release/lock_rules.py",
        old="    if lock.holder is not None or is_paused",
        new="    if is_paused",
        caught_by=["tests/workflow/queue"],
    ),
    Mutant(
        promise="Who has lost the lock does not act",
        file=f"{_PACKAGE}/release/lock_rules.py",
        old="    if holder is None or not held.is_of(holder):\n",
        new="    if False and not held.is_of(holder):\n",
        caught_by=["tests/workflow/queue"],
    ),
    Mutant(
        promise="A lock that was read too low is unknown",
        file=f"{_PACKAGE}/release/lock_rules.py",
        old="    if lock.fence < fence:\n",
        new="    if lock.fence < 0:\n",
        caught_by=[
            "tests/workflow/releases/test_trouble.py",
            "tests/workflow/queue/test_stopped.py",
        ],
    ),
    Mutant(
        promise="RollBack looks for its own deployment before it creates another one",
        file="layers/core/lightgate/steps/roll_back.py",
        old="ours = service.deployment_of(progress.release)",
        new="ours = None",
        caught_by=["failed watch: killed after"],
    ),
    Mutant(
        promise="The first outcome stands",
        file=f"{_PACKAGE}/aws/dynamodb_releases.py",
        old="            condition=_NO_OUTCOME,\n        )\n        writes = [",
        new="        )\n        writes = [",
        caught_by=["tests/component/test_dynamodb_releases.py"],
    ),
    Mutant(
        promise="A release owes its message until that is out",
        file=f"{_PACKAGE}/operations/recover_abandoned.py",
        old="    runtime.topic.publish(publication)\n    runtime.releases.message_sent",
        new="    runtime.releases.message_sent",
        caught_by=["good: denied to the end"],
    ),
    Mutant(
        promise="No secret is in the state",
        file="layers/core/lightgate/steps/deploy.py",
        old="return _created(admitted, service, created, assembled.notes, runtime.now())",
        new="""return _created(
                admitted,
                service,
                created,
                [*assembled.notes, str(assembled.request)],
                runtime.now(),
            )""",
        caught_by=["good: throttled once"],
    ),
    Mutant(
        promise="The secrets of a new deployment are masked at once",
        file=f"{_PACKAGE}/aws/lightsail.py",
        old="        key = _activating(seen, release)\n",
        new="        key = (service, release)\n",
        caught_by=["tests/component/test_lightsail.py"],
    ),
)


def main() -> int:
    began = time.perf_counter()
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        results = list(pool.map(_result, MUTANTS))
    print("\n| Promise that is broken | Caught by |\n| --- | --- |")
    for mutant, by in zip(MUTANTS, results, strict=True):
        print(f"| {mutant.promise} | {by or '**nothing**'} |")
    caught = sum(result is not None for result in results)
    seconds = time.perf_counter() - began
    print(f"\n{caught} caught, {len(MUTANTS) - caught} not caught in {seconds:.0f} s")
    return 0 if caught == len(MUTANTS) else 1


def _result(mutant: Mutant) -> str | None:
    """What has caught it; None if nothing has."""
    with TemporaryDirectory() as folder:
        copy = Path(folder)
        _copy(copy)
        path = copy / mutant.file
        text = path.read_text()
        if text.count(mutant.old) != 1:
            print(f"{mutant.promise}: its place is not in {mutant.file}", file=sys.stderr)
            return None
        path.write_text(text.replace(mutant.old, mutant.new))
        return next((one for one in mutant.caught_by if _catches(one, copy)), None)


def _copy(folder: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    for name in filter(None, listed):
        source, target = ROOT / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def _catches(one: str, folder: Path) -> bool:
    """Whether the run of the matrix, or the test, fails there for a reason of its own."""
    is_test = one.startswith("tests/")
    if is_test:
        words = ["pytest", "-x", "-m", "not slow", one]
    else:
        run, _, fault = one.partition(": ")
        words = ["tests.faults", "--jobs", "1", "--run", run, "--fault", fault]
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{folder / 'layers/core'}:{folder}"},
        capture_output=True,
        text=True,
        timeout=_LONGEST_SECONDS,
        check=False,
    )
    said = done.stdout + done.stderr
    expected = " failed" if is_test else "passed, "
    is_broken = "without any fault" in said and not is_test
    return done.returncode == 1 and (expected in said or is_broken)


if __name__ == "__main__":
    sys.exit(main())
