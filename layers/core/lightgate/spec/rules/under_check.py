"""A spec whose rules are being checked, and what could be read of it."""

from dataclasses import dataclass

from lightgate.image.addresses import RegistryAddress
from lightgate.json_reader import KEY_ITSELF, Node, nearest, one_of, shown
from lightgate.spec.keys import AppSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecUnderCheck:
    """A spec in which something stands in for each value that could not be read.

    No stand-in breaks a rule by its own value. Before a rule reports that something is missing, it
    makes sure that it was not just unreadable (`was_read`). `root` is the text of the spec and its
    problems. `home` is the registry whose pushes Lightgate receives, None if it is not known.
    """

    spec: AppSpec
    root: Node
    home: RegistryAddress | None

    def report(self, text: str, *place: str | int) -> None:
        """Add a problem, unless the value there could not be read, which is a problem already."""
        problems = self.root.problems
        if not any(place[: len(unread)] == unread for unread in problems.unread):
            problems.add(self.root.at(*place).path, text)

    def report_no_container(self, name: str, *place: str | int) -> None:
        """Report the name of a container that the spec does not have."""
        known = self.spec.containers
        if self.was_read("containers", "*", KEY_ITSELF):
            hint = nearest(name, known)
            allowed = one_of(known)
            self.report(f"there is no container {shown(name)}{hint}; allowed is {allowed}", *place)

    def was_read(self, *place: str | int) -> bool:
        """Whether everything at and below this place could be read; `*` stands for any key."""
        return not any(
            all(key in ("*", step) for key, step in zip(place, unread, strict=False))
            for unread in self.root.problems.unread
        )

    def knows_who_waits_for(self, name: str, owner: str = "*") -> bool:
        """Whether every dependency that may be on this container could be read.

        `owner` is the container whose dependencies count; `*` stands for all.
        """
        for unread in self.root.problems.unread:
            match unread:
                case ("containers", _, "dependsOn", _, "condition") if self.root.at(
                    *unread[:-1], "containerName"
                ).value not in (None, name):
                    continue
                case ("containers", waiting, "dependsOn", *_) if owner in ("*", waiting):
                    return False
                case ("containers",) | ("containers", _) | ():
                    return False
        return True
