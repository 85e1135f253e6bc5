"""What an execution carries through its states, and what paths and rules of the definition read."""

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

type Json = dict[str, Any]


class StateData:
    """The data of an execution and its context object, by the JSONPath that the definition uses."""

    def __init__(self, data: Any, context: Json) -> None:
        self.data = data
        self._context = context

    def value(self, path: str) -> Any:
        """What a path or an intrinsic function gives. A missing key is a KeyError."""
        if path.startswith("States.Format("):
            template, *values = path.removeprefix("States.Format('").rstrip(")").split("', ")
            return template.format(*(self.value(each) for each in values[0].split(", ")))
        if path.startswith("States.JsonToString("):
            return json.dumps(self.value(path.removeprefix("States.JsonToString(").rstrip(")")))
        value = self._context if path.startswith("$$") else self.data
        for key in path.lstrip("$").split(".")[1:]:
            value = value[key]
        return value

    def filled(self, template: Any) -> Any:
        """Parameters with their paths followed."""
        if not isinstance(template, dict):
            return template
        return {
            key.removesuffix(".$"): self.value(value) if key.endswith(".$") else self.filled(value)
            for key, value in template.items()
        }

    def put(self, path: str, value: Any) -> None:
        key = path.lstrip("$").lstrip(".")
        self.data = {**self.data, key: value} if key else value

    def holds(self, rule: Json) -> bool:
        """Whether a rule of a Choice holds."""
        if "Not" in rule:
            return not self.holds(rule["Not"])
        if "And" in rule:
            return all(self.holds(each) for each in rule["And"])
        if "Or" in rule:
            return any(self.holds(each) for each in rule["Or"])
        if "IsPresent" in rule:
            with contextlib.suppress(KeyError, TypeError):
                self.value(rule["Variable"])
                return bool(rule["IsPresent"])
            return not rule["IsPresent"]
        if "IsString" in rule:
            return isinstance(self.value(rule["Variable"]), str) is rule["IsString"]
        [expected] = [value for key, value in rule.items() if key.endswith("Equals")]
        return bool(self.value(rule["Variable"]) == expected)


def iso(moment: datetime) -> str:
    """The moment as the context object has it."""
    in_utc = moment.astimezone(UTC)
    return in_utc.strftime("%Y-%m-%dT%H:%M:%S.") + f"{in_utc.microsecond // 1000:03}Z"
