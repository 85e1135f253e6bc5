"""What a run has found, counted by kind."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

MISS, ALARM, OPEN = "miss", "alarm", "open"
SAFE = ("compatible", "restricted")
MOST_SHOWN = 60


@dataclass
class Results:
    """The lines that the workers of one engine and Django version have written."""

    engine: str
    django: str
    seed: int
    cases: list[dict[str, Any]] = field(default_factory=list)
    worlds: list[dict[str, Any]] = field(default_factory=list)
    small: dict[str, str] = field(default_factory=dict)
    crashes: list[str] = field(default_factory=list)

    def take(self, line: dict[str, Any]) -> None:
        if "crash" in line:
            self.crashes.append(f"{line['crash']} (case {line.get('case', line.get('small'))})")
        if "world" in line:
            self.worlds.append(line)
        elif "small" in line:
            self.small.setdefault(line["small"], line["text"])
        else:
            self.cases.append(line)

    def by_verdict(self, verdict: str) -> list[dict[str, Any]]:
        return sorted(
            (one for one in self.cases if one.get("verdict") == verdict),
            key=lambda one: one["case"],
        )

    @property
    def compared(self) -> int:
        return sum("verdict" in one for one in self.cases)

    @property
    def seconds(self) -> float:
        """Of the workers' processors, without the servers."""
        return float(sum(one["seconds"] for one in [*self.cases, *self.worlds]))

    def counts(self) -> dict[str, Any]:
        single = [one for one in self.cases if len(one.get("breaking", ())) == 1]
        called = [one for one in single if one["verdict"] in (ALARM, "agrees")]
        return {
            "engine": self.engine,
            "django": self.django,
            "seed": self.seed,
            "cases": len(self.cases),
            "compared": self.compared,
            "classes": Counter(one["class"] for one in self.cases if "verdict" in one),
            "misses": len(self.by_verdict(MISS)),
            "breaking with one operation": len(called),
            "alarms": sum(one["verdict"] == ALARM for one in called),
            "alarms by many operations": len(self.by_verdict(ALARM))
            - sum(one["verdict"] == ALARM for one in called),
            "weak": sum(bool(one.get("weak")) for one in self.cases),
            "not compared": Counter(one["skipped"] for one in self.cases if "skipped" in one),
            "setup refused": Counter(
                why.partition(":")[0] for one in self.worlds for why in one["refused"]
            ),
            "crashes": len(self.crashes),
            "statements of old code": sum(one.get("compared", 0) for one in self.cases),
            "rows of new code": sum(one.get("written", 0) for one in self.cases),
            "processor seconds": round(self.seconds, 1),
        }

    def as_json(self) -> dict[str, Any]:
        return {
            **self.counts(),
            "miss kinds": by_kind(self.by_verdict(MISS)),
            "alarm kinds": by_kind(self.by_verdict(ALARM)),
            "open kinds": by_kind(self.by_verdict(OPEN)),
            "small": self.small,
            "crash texts": self.crashes,
        }

    def text(self) -> Iterator[str]:
        counts = self.counts()
        yield f"{self.engine}, Django {self.django}, seed {self.seed}"
        per_second = len(self.cases) / self.seconds if self.seconds else 0
        yield (
            f"  {counts['cases']} cases, {counts['compared']} compared"
            f" ({per_second:.0f} cases a second of a worker's processor)"
        )
        yield f"  classes: {listed(counts['classes'])}"
        safe = sum(counts["classes"].get(one, 0) for one in SAFE)
        yield f"  misses: {counts['misses']} of {safe} plans called {' or '.join(SAFE)}"
        yield (
            f"  alarms: {counts['alarms']} of {counts['breaking with one operation']} plans"
            " with one operation called breaking,"
            f" and {counts['alarms by many operations']} with more"
        )
        if counts["weak"]:
            yield f"  disturbed only by NULL or large values of new code: {counts['weak']}"
        if counts["not compared"]:
            yield f"  not compared: {listed(counts['not compared'])}"
        if counts["setup refused"]:
            yield f"  models that the server refused: {listed(counts['setup refused'])}"
        for crash, number in Counter(one.partition(" (case")[0] for one in self.crashes).items():
            yield f"  CRASH of the fuzzer, {number} times: {crash}"
        yield from self.kinds("Misses", MISS)
        yield from self.kinds("Alarms", ALARM)
        for text in self.small.values():
            yield ""
            yield text

    def kinds(self, title: str, verdict: str) -> Iterator[str]:
        found = by_kind(self.by_verdict(verdict))
        if found:
            yield f"  {title} by kind (the number of cases, then the first of them):"
        for kind, cases in list(found.items())[:MOST_SHOWN]:
            numbers = ", ".join(map(str, cases[:3]))
            yield f"    {len(cases):5}  {kind[:150]}  [case {numbers}]"
        if len(found) > MOST_SHOWN:
            yield f"    and {len(found) - MOST_SHOWN} more kinds: see --json"


def by_kind(cases: Sequence[dict[str, Any]]) -> dict[str, list[int]]:
    """The numbers of the cases of each kind, the most frequent first."""
    found: dict[str, list[int]] = {}
    for one in cases:
        kind = one.get("kind") or " + ".join(one["kinds"])
        found.setdefault(kind, []).append(one["case"])
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())
