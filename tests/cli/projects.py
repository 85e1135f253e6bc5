"""Django projects whose migrations are judged, and their history in git."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.gate.projects import CREATE, Project

# Nothing answers there.
POSTGRES = {
    "ENGINE": "django.db.backends.postgresql",
    "NAME": "crops",
    "HOST": "127.0.0.1",
    "PORT": 1,
}
MYSQL = {**POSTGRES, "ENGINE": "django.db.backends.mysql"}
FARM = """migrations.CreateModel("Farm", [
    ("id", models.BigAutoField(primary_key=True)),
    ("crop", models.ForeignKey("crops.Crop", models.CASCADE))])"""
TIDY = "migrations.RunPython(lambda apps, editor: None)"
# One migration of each class, after a first one that creates the table.
EACH_CLASS = {
    "initial": CREATE,
    "colour": 'migrations.AddField("crop", "colour", models.TextField(null=True))',
    "farm": FARM,
    "tidy": TIDY,
    "drop": 'migrations.RemoveField("crop", "name")',
    "sql": 'migrations.RunSQL("select 1")',
}


@dataclass
class Tree(Project):
    """A project below a repository."""

    def add(self, name: str, operations: str) -> Path:
        full = self.migration(operations, name=name)
        return self.directory / f"crops/migrations/{full.partition('.')[2]}.py"

    def git(self, *words: str) -> None:
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
        subprocess.run(
            ["git", "-C", self.directory, *identity, *words], check=True, capture_output=True
        )

    def commit(self) -> None:
        """Commit everything, in a repository that is made with the first commit."""
        if not (self.directory / ".git").exists():
            self.git("init", "--initial-branch=main")
            self.write(".gitignore", "__pycache__\n")
        self.git("add", "--all")
        self.git("commit", "--message=x")

    @property
    def manage_py(self) -> Path:
        return self.directory / "manage.py"


def names(output: str) -> Sequence[str]:
    """The first words of the rows of the table, without the head."""
    rows = [line.split()[:3] for line in output.splitlines() if line[:4] in ("ok  ", "FAIL")]
    return [" ".join(row) for row in rows]
