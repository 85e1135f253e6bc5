"""A wrong command in the docs is found, whatever program it addresses."""

import pytest

from tests.docs.pages import code_of
from tests.docs.programs import problem_of
from tests.docs.shell import commands_of, syntax_error


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("aws lightsail get-containers", "Invalid choice"),
        ("aws lightsail get-container-services --services web", "Unknown options"),
        ("aws rds wait db-instance-ready --db-instance-identifier a", "Invalid choice"),
        ("aws ssm delete-parameter", "arguments are required"),
        ("aws sns list-topics --query Topics[0", "Invalid jmespath expression"),
        ("aws rds describe-db-instances --filters Name=a,Word=b", "Unknown parameter"),
        ("aws s3 rb s3://name --forced", "Unknown options"),
        ("sam deploy --config-environment production", "No such option"),
        ("sam built", "No such command"),
        ("lightgate rollback", "Missing argument"),
        ("lightgate status --follow", "No such option"),
        ("lightgate undo", "No such command"),
        ("make demos", "no target demos"),
        ("make test ONLY=no/such/folder", "no test is at no/such/folder"),
        ("make test WHERE=unit", "no target reads WHERE"),
        ("docker build --platfrom linux/amd64 .", "not a known form"),
        ("python manage.py migrate --dry-run", "unrecognized arguments"),
        ("python -m local.no_module", "no module"),
        ("terraform apply", "no test knows the program"),
    ],
)
def test_a_wrong_command_has_a_problem(command: str, problem: str) -> None:
    assert problem in problem_of(command.split())


def test_a_sentence_may_name_a_command_that_exists() -> None:
    assert problem_of(["lightgate", "rollback"], is_name=True) == ""
    assert problem_of(["aws", "ssm", "delete-parameter"], is_name=True) == ""
    assert problem_of(["aws", "ssm", "remove-parameter"], is_name=True) != ""
    assert problem_of(["lightgate", "undo"], is_name=True) != ""


def test_every_command_of_a_script_is_found() -> None:
    script = """\
A=1 aws one --x "a b" \\
    --y   # and why
for S in a b; do V=$(aws two "$(sam three)") || exit 1
  [[ $V == *x* ]] && aws four '{"a": "b;c"}' > file; done
cat > policy.json <<'EOF'
aws five
EOF
(cd x && make six) | docker seven
"""

    assert [*commands_of(script)] == [
        ["sam", "three"],
        ["aws", "two", "SUBSTITUTED"],
        ["aws", "one", "--x", "a b", "--y"],
        ["exit", "1"],
        ["aws", "four", '{"a": "b;c"}'],
        ["cat"],
        ["cd", "x"],
        ["make", "six"],
        ["docker", "seven"],
    ]


def test_a_script_that_bash_cannot_read_is_found() -> None:
    assert syntax_error("echo $(") != ""
    assert syntax_error("echo a") == ""


def test_the_code_of_a_page_has_its_place() -> None:
    page = "Text `a b`.\n\n1. Do:\n\n   ```sh\n   make x\n   ```\n\nThen `c`.\n"

    found = [(code.language, code.text, code.place) for code in code_of(page, "page")]

    assert found == [
        ("sh", "make x\n", "page:5"),
        ("words", "a b", "page:1"),
        ("words", "c", "page:9"),
    ]
