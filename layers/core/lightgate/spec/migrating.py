"""Whether a command runs Django's `migrate`, as far as its words show it."""

import enum
from collections.abc import Sequence
from pathlib import PurePosixPath

from lightgate.patterns import pattern
from lightgate.spec.django_command import APPLY_NOTHING
from lightgate.spec.programs import programs
from lightgate.spec.shell_line import SHELLS

# With one of these words in its line, a shell may leave a command out.
_CONDITIONAL = pattern(r"(?:^|[\s;&|(])(?:if|case|while|until|for|\[|\[\[|test)\s|\|\|")
_CALLS = pattern(r"call_command\(\s*[\"']migrate[\"']")
_NAMED = pattern(r"\bmigrat(?:e|ions?)\b|\bpost_upgrade\b")
# A command of manage.py that may migrate by its name, such as migrate_schemas or deploy.
_MAY_MIGRATE = pattern(
    r"(?!make|show|sql|squash|lint|list|check|optimize).*(?:migrat|syncdb|tenant|upgrade|deploy).*"
)
_SCRIPT = pattern(r".*\.(?:sh|bash)|.*entry-?point(?!.*\.py$).*")
# Scripts in the root of an image or of the app, which have no suffix.
_SCRIPT_PATH = pattern(r"(?:.*/)?(?:start|run|boot|init|deploy|release|launch)(?:[-_]\w+)*")
# They have migrations of their own.
_NOT_DJANGO = {
    *("flyway", "alembic", "liquibase", "goose", "dbmate", "prisma", "knex", "sequelize", "atlas"),
    *("rails", "rake", "sqitch", "sqlx", "diesel", "migrate-mongo", "typeorm"),
}
_RUNS_TARGETS = {"make", "just", "task", "invoke", "inv", "fab", "npm", "yarn", "pnpm"}
# What they start stands in a file of the image.
_PROCESS_MANAGERS = {
    *("supervisord", "honcho", "foreman", "forego", "goreman", "overmind", "hivemind", "circusd"),
    *("s6-svscan", "runsvdir", "runsv", "pm2-runtime", "pebble"),
}


class Migrates(enum.Enum):
    """YES: it certainly does. PERHAPS: it names it, or runs a script that may do it."""

    YES = enum.auto()
    PERHAPS = enum.auto()
    NO = enum.auto()


def migrates(command: Sequence[str]) -> Migrates:
    found = programs(command)
    calls = [one for one in found if one.manage_command == "migrate"]
    applies = any(not one.has(*APPLY_NOTHING) for one in calls)
    line = " ".join(command)
    if applies or _CALLS.search(line):
        return Migrates.PERHAPS if _CONDITIONAL.search(line) else Migrates.YES
    manage_commands = {one.manage_command or "" for one in found}
    if any(map(_MAY_MIGRATE.fullmatch, manage_commands - {"migrate"})):
        return Migrates.PERHAPS
    # A variable of the shell, or an option of the project's own before the command.
    if any(one.startswith("$") for one in manage_commands):
        return Migrates.PERHAPS
    if any(one.startswith("-") for one in manage_commands) and _NAMED.search(line):
        return Migrates.PERHAPS
    if calls:
        return Migrates.NO  # such as migrate --check
    is_known = any(one.manage_command or one.name in _NOT_DJANGO for one in found)
    names = _NAMED.search(line) and not is_known
    scripts = any(_runs_a_script(one.words) for one in found)
    return Migrates.PERHAPS if names or scripts else Migrates.NO


def _runs_a_script(words: Sequence[str]) -> bool:
    if not words:
        return False
    name = PurePosixPath(words[0]).name
    if words[0] in (".", "source"):
        return True
    if name in SHELLS:
        return len(words) > 1 and "-c" not in words
    if name in _RUNS_TARGETS | _PROCESS_MANAGERS or _SCRIPT.fullmatch(name):
        return True
    return "/" in words[0] and _SCRIPT_PATH.fullmatch(words[0]) is not None
