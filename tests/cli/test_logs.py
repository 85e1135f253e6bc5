"""`lightgate logs`: the lines of one container as they are, of several with their names."""

from lightgate_cli import logs
from lightgate_cli.reading.release_facts import LogSource, ReleaseLogs


def told(**containers: list[str]) -> list[str]:
    found = ReleaseLogs(app="crops", release="r", source=LogSource.EVIDENCE, containers=containers)
    return logs.lines(found)


def test_the_lines_of_one_container_are_as_they_are() -> None:
    assert told(web=["  a  ", ""]) == ["  a  ", ""]


def test_the_lines_of_several_containers_have_their_names() -> None:
    assert told(migrate=["applied"], web=["started", "ready"]) == [
        "migrate | applied",
        "web     | started",
        "web     | ready",
    ]


def test_no_container_has_no_lines() -> None:
    assert told() == []
