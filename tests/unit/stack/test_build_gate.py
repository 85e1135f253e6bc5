"""How the texts of the gate programs are built from their modules."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from build_gate import texts
from build_gate.join import JoinError, join
from build_gate.minify import minify
from tests.interpreters import any_python

__all__ = ["any_python"]

FROM = "from lightgate.gate.programs.program"


class Sources:
    """The folder of a program's modules."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "program").mkdir()
        self.write(__init__='"""A program."""')

    def write(self, **modules: str) -> None:
        for name, text in modules.items():
            (self.folder / "program" / f"{name}.py").write_text(text)

    def join(self) -> str:
        return join(self.folder, "program")


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    return Sources(tmp_path)


def output(text: str) -> str:
    ran = subprocess.run([sys.executable, "-I", "-S", "-c", text], capture_output=True, check=True)
    return ran.stdout.decode()


def test_joined_modules_do_the_same_as_the_package(sources: Sources) -> None:
    sources.write(
        __main__=f"import sys\n{FROM}.words import greeting\n{FROM}.limits import MANY\n"
        "def main():\n    print(greeting() * MANY)\n    sys.exit()\nmain()\n",
        words=f"import json\nimport sys\n{FROM}.limits import WORD\n"
        "def greeting():\n    return json.dumps(WORD)\n",
        limits='"""Limits."""\nWORD = "hello"\nMANY = 2\n',
    )

    text = sources.join()

    assert "lightgate" not in text
    assert text.count("import sys") == 1
    assert output(text) == output(minify(text, "program")) == '"hello""hello"\n'


def test_an_exec_costs_no_import_and_sees_no_name_of_the_program() -> None:
    program = "import builtins\nimport sys\nword = 'hello'\nbuiltins.exec('print(1)', {})\n"

    assert "builtins" not in minify(program, "program")
    assert output(minify(program, "program")) == "1\n"
    other = minify(program + "print(builtins.len(word))\n", "program")
    assert "builtins" in other
    assert output(other) == "1\n5\n"


def test_what_only_type_checkers_need_is_left_out(sources: Sources) -> None:
    """So that two modules may name each other's classes in annotations."""
    sources.write(
        __main__=f"from __future__ import annotations\n{FROM}.other import Other\nprint(Other.x)\n"
        "class Main:\n    other: Other\n",
        other="from __future__ import annotations\nfrom typing import TYPE_CHECKING, Any\n"
        f"if TYPE_CHECKING:\n    {FROM}.__main__ import Main\n"
        "class Other:\n    x: Any = 1\n    main: Main | None = None\n",
    )

    small = minify(sources.join(), "program")

    assert not re.search("annotations|typing", small)
    assert output(small) == "1\n"


@pytest.mark.parametrize(
    ("modules", "why"),
    [
        ({"a": "X = 1", "b": "X = 2"}, "X is also bound by"),
        ({"a": "def f(): 0", "b": "if 1:\n    f = 2"}, "f is also bound by"),
        ({"a": "import time", "b": "from time import time"}, "time is also bound by"),
        ({"a": "import http.client\nimport http.server"}, "http is also bound by"),
        ({"a": "import time", "b": "time = 1"}, "time is also bound by"),
        ({"a": "def max(): 0"}, "max is the name of a builtin"),
        ({"a": f"{FROM}.b import x", "b": f"{FROM}.a import y"}, "import cycle"),
        ({"a": f"{FROM}.b import x as y", "b": "x = 1"}, "x as y"),
        ({"a": f"{FROM}.b import *", "b": "x = 1"}, "import *"),
        ({"a": "from lightgate.gate.programs.program import b", "b": "x = 1"}, "import b"),
        ({"a": "import lightgate.gate.programs.program.b", "b": "x = 1"}, "program.b"),
        ({"a": "from .b import x", "b": "x = 1"}, "from .b"),
        ({"a": "from . import b", "b": "x = 1"}, "from . import b"),
        ({"a": f"def f():\n    {FROM}.b import x", "b": "x = 1"}, "def f()"),
        ({"a": "x = 1\ndef f():\n    global x\n    x = 2"}, "def f()"),
        ({"a": "if __name__ == '__main__':\n    print()"}, "if __name__"),
        ({"a": "if TYPE_CHECKING: 0\nelse: 0"}, "if TYPE_CHECKING"),
        ({"a": "from os import *"}, "import *"),
        ({"a": "import boto3"}, "import boto3"),
        ({"a": "def f():\n    import django"}, "def f()"),
        ({"a": "from lightgate.gate.masking import Mask"}, "import Mask"),
        ({"a": "from __future__ import generator_stop"}, "generator_stop"),
        ({"a": "", "__init__": "x = 1"}, "would not be joined"),
    ],
)
def test_unsafe_joins_are_refused(sources: Sources, modules: dict[str, str], why: str) -> None:
    imports = [f"{FROM}.{name} import x" for name in modules if name != "__init__"]
    sources.write(__main__="\n".join(imports), **modules)

    with pytest.raises(JoinError) as refused:
        sources.join()

    assert why in str(refused.value)


def test_a_module_that_nothing_imports_is_refused(sources: Sources) -> None:
    sources.write(__main__="print()", forgotten="x = 1")

    with pytest.raises(JoinError, match="nothing imports forgotten"):
        sources.join()


def test_the_django_helper_alone_may_import_django(tmp_path: Path) -> None:
    (tmp_path / "django_helper.py").write_text("import django")
    (tmp_path / "waiter.py").write_text("import django")

    assert "import django" in join(tmp_path, "django_helper")
    with pytest.raises(JoinError):
        join(tmp_path, "waiter")


@pytest.mark.parametrize(
    "source",
    [
        "match x:\n    case 1: 0",
        "try: 0\nexcept* OSError: 0",
        """print(f"{x['a']} 'y' \\"z\\"")""",
    ],
)
def test_what_python_3_8_cannot_read_is_refused(source: str) -> None:
    with pytest.raises((SyntaxError, ValueError)):
        minify(source, "program")


@pytest.mark.parametrize(
    "source", ["""d={'a':1}\nprint(f"{d['a']}{d['a']}-{'é'!r}")""", """print(f'{"x"}')"""]
)
def test_texts_within_an_f_string_get_the_other_quotes(source: str) -> None:
    text = minify(source, "program")

    assert text.count('"') == 2
    assert output(text) == output(source)


SHADOWED = """
import os
def both(names):
    odd = [first for (first, second) in {1: 2}.items() if second not in (5,)]
    words = list(names)
    words = [os.fsdecode(word) for word in words]
    return odd, words
def other(names):
    return [os.fsdecode(name) for name in names]
print(both(["x"]), other(["y"]), os.name, os.sep, os.curdir)
"""


def test_a_comprehension_hides_no_global_from_the_next_one(any_python: str) -> None:
    renamed = SHADOWED.replace("os", "A").replace("import A", "import os as A")
    for source in (SHADOWED, renamed.replace("second", "A")):
        ran = subprocess.run(
            [any_python, "-c", minify(source, "program")],
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout == "([1], ['x']) ['y'] posix / .\n"


def test_only_parameters_that_a_call_names_keep_their_names() -> None:
    source = (
        "def f(first, second): print(first, second)\n"
        "def g(third, **rest): print(third, rest)\n"
        "f('a', second='b')\ng(**{'third': 'c', 'more': 'd'})\n"
    )
    text = minify(source, "program")

    assert [name in text for name in ("first", "second", "third")] == [False, True, True]
    assert output(text) == output(source)


@pytest.mark.parametrize("source", ["print(x)", "def f():\n    print(x)", "class X(x): pass"])
def test_a_name_that_nothing_binds_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="nothing binds"):
        minify(source, "program")


def test_what_typing_offers_at_run_time_is_refused(tmp_path: Path) -> None:
    (tmp_path / "waiter.py").write_text("from typing import cast\nprint(cast(int, 1))")

    with pytest.raises(ValueError, match="nothing binds cast"):
        minify(join(tmp_path, "waiter"), "waiter")


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sources of one small program, with a cache of their own."""
    (tmp_path / "waiter.py").write_text("print('waits')")
    monkeypatch.setattr(texts, "PROGRAMS", ("waiter",))
    monkeypatch.setattr(texts, "_SOURCES", tmp_path)
    monkeypatch.setattr(texts, "_HERE", tmp_path / "build_gate")
    monkeypatch.setattr(texts, "_CACHE", tmp_path / "cache")
    return tmp_path


def built() -> str:
    return (texts.cached_texts.__wrapped__() / "waiter.txt").read_text()


def test_a_changed_source_is_built_anew(copied: Path) -> None:
    assert built() == "print('waits')"

    (copied / "waiter.py").write_text("print('is ready')")

    assert built() == "print('is ready')"


@pytest.mark.usefixtures("copied")
def test_unchanged_sources_are_built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = built()
    monkeypatch.setattr(texts, "write_texts", SimpleNamespace)

    assert built() == first


def test_many_may_build_at_once(copied: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: built(), range(8)))

    assert set(found) == {"print('waits')"}
    assert [path.name for path in (copied / "cache").glob("new-*")] == []


@pytest.mark.parametrize("arguments", [[], ["--help"], ["one", "two"]])
def test_a_wrong_call_shows_the_usage_and_writes_nothing(
    arguments: list[str], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "build_gate", *arguments]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (1, "Usage: python -m build_gate FOLDER\n")
    assert list(tmp_path.iterdir()) == []
