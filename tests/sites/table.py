"""The tables in docs/tested-projects.md and docs/tested-images.md, which tests compare."""

import os
from collections.abc import Sequence
from pathlib import Path

PAGE = Path("docs/tested-projects.md").resolve()
IMAGES_PAGE = Path("docs/tested-images.md").resolve()


def record(table: str, keys: int, row: Sequence[str], page: Path = PAGE) -> None:
    """Compare the row with that of the table, or write it if REWRITE_GOLDEN is set.

    The first cells, as many as `keys`, name the row. The last cell is how long it took, or how much
    memory, which is different each time.
    """
    begin, end = f"<!-- {table} -->", f"<!-- end of {table} -->"
    before, _, rest = page.read_text("utf-8").partition(begin)
    inner, _, after = rest.partition(end)
    head, rule, *rows = inner.strip().splitlines()
    cells = [cell.replace("|", "\\|") for cell in row]
    names = {_cells(line)[:keys]: line for line in rows}
    if os.environ.get("REWRITE_GOLDEN"):
        names[tuple(cells[:keys])] = f"| {' | '.join(cells)} |"
        lines = [begin, head, rule, *names.values(), end]
        page.write_text(before + "\n".join(lines) + after, "utf-8")
        return
    assert tuple(cells[:keys]) in names, f"{page} has no row for {cells[:keys]}"
    assert _cells(names[tuple(cells[:keys])])[:-1] == tuple(cells[:-1])


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.strip().strip("|").replace("\\|", "\0").split("|"))
