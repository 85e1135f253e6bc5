"""An address where a bare name belongs is refused with the name to write, or taken for it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightgate.errors import SpecError
from lightgate.image.addresses import RegistryAddress, repository_in
from lightgate.release.request import parse_request
from lightgate.spec.parser import parse_app_name, parse_spec
from tests.support.builders import Json, app_spec, migrate, reasons_of, spec_document, web

HOME = RegistryAddress("123456789012", "us-east-1")
OUR_HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


def told(home: RegistryAddress | None = None, **changes: object) -> list[str]:
    """What is said of the spec; nothing of a valid one."""
    text = json.dumps(spec_document(**changes))
    return list(reasons_of(lambda: parse_spec(text, home)))


def with_image(image: str, **changes: object) -> list[str]:
    side = {"image": image, "command": ["run"]}
    return told(containers={"migrate": migrate(), "web": web(), "side": side}, **changes)


@pytest.mark.parametrize(
    "address",
    [
        f"{OUR_HOST}/shop",
        "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/shop",
        "123456789012.dkr-ecr.us-east-1.on.aws/shop",
    ],
)
def test_the_address_of_a_repository_in_the_own_registry_stands_for_its_bare_name(
    address: str,
) -> None:
    spec = parse_spec(json.dumps(spec_document(repository=address)), HOME)

    assert spec.repository == "shop"
    assert spec.watches("shop", "latest")


def test_an_address_keeps_the_path_of_the_repository() -> None:
    assert app_spec(repository=f"{OUR_HOST}/team/shop").repository == "team/shop"


def test_an_address_in_china_is_read_alike() -> None:
    address = "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/shop"

    spec = parse_spec(
        json.dumps(spec_document(repository=address)), RegistryAddress("123456789012", "cn-north-1")
    )

    assert spec.repository == "shop"


@pytest.mark.parametrize(
    "address",
    [
        "999999999999.dkr.ecr.us-east-1.amazonaws.com/shop",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop",
    ],
)
def test_the_address_of_another_account_or_region_is_refused_where_lightgate_runs(
    address: str,
) -> None:
    [reason] = told(HOME, repository=address)

    assert reason.startswith(f'repository: "{address[:59]}')
    assert "account 123456789012 and the region us-east-1" in reason
    assert reason.endswith("such as shop")


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (f"{OUR_HOST}/shop:latest", "shop"),
        (f"{OUR_HOST}/team/shop:v1.2", "team/shop"),
        (f"{OUR_HOST}/shop@sha256:{'0' * 64}", "shop"),
        (f"{OUR_HOST}/shop:v1@sha256:{'0' * 64}", "shop"),
        (f"{OUR_HOST}/Shop", "shop"),
        (f"{OUR_HOST}/shop/", "shop"),
        (f"{OUR_HOST}//shop", "shop"),
        (f"https://{OUR_HOST}/shop", "shop"),
        (f"https://{OUR_HOST}/shop:latest/", "shop"),
        (f"docker://{OUR_HOST}/shop", "shop"),
        (f"{OUR_HOST.upper()}/shop", "shop"),
        ("dkr.ecr.us-east-1.amazonaws.com/shop", "shop"),
        ("12345.dkr.ecr.us-east-1.amazonaws.com/shop", "shop"),
        ("arn:aws:ecr:us-east-1:123456789012:repository/team/shop", "team/shop"),
        (
            "https://us-east-1.console.aws.amazon.com/ecr/repositories/private/123456789012/shop"
            "?region=us-east-1",
            "shop",
        ),
        ("public.ecr.aws/a1b2c3d4/shop", "shop"),
        ("public.ecr.aws/a1b2c3d4/team/shop:latest", "team/shop"),
        ("docker.io/acme/shop", "acme/shop"),
        ("index.docker.io/acme/shop:latest", "acme/shop"),
        ("https://hub.docker.com/r/acme/shop", "acme/shop"),
        ("ghcr.io/acme/shop", "acme/shop"),
        ("europe-docker.pkg.dev/acme/images/shop", "acme/images/shop"),
        ("registry.gitlab.com/acme/shop", "acme/shop"),
        ("localhost:5000/shop", "shop"),
        ("registry.example.com:5000/shop", "shop"),
        ("shop:latest", "shop"),
        ("team/shop:v1", "team/shop"),
        (f"shop@sha256:{'0' * 64}", "shop"),
        ("Shop", "shop"),
        ("Team/Shop", "team/shop"),
        ("/shop", "shop"),
        ("shop/", "shop"),
        ("./shop", "shop"),
        (" shop ", "shop"),
        ("shop\n", "shop"),
        ("team//shop", "team/shop"),
    ],
)
def test_any_other_form_of_a_repository_is_refused_with_its_name(address: str, name: str) -> None:
    [reason] = told(repository=address)

    assert reason.startswith("repository: ")
    assert "allowed is an ECR repository name such as team/crops; " in reason
    assert f"; write {name}" in reason
    assert told(repository=name) == []


@pytest.mark.parametrize("address", [OUR_HOST, f"{OUR_HOST}/", f"https://{OUR_HOST}", "shop*"])
def test_an_address_without_a_repository_is_refused(address: str) -> None:
    [reason] = told(repository=address)

    assert "is not valid; allowed is an ECR repository name such as team/crops" in reason
    assert "write" not in reason


@pytest.mark.parametrize("name", ["shop", "team/shop", "my.team/shop", "a.b.c", "x_y/z-1", "nginx"])
def test_a_bare_name_is_taken_as_it_stands(name: str) -> None:
    assert app_spec(repository=name).repository == name


@pytest.mark.parametrize(
    ("tag", "advice"),
    [
        ("shop:latest", "write latest"),
        (f"{OUR_HOST}/shop:v*", "write v*"),
        (":latest", "write latest"),
        ("refs/tags/v1", "write v1"),
        (" latest", "write latest"),
        (f"sha256:{'0' * 64}", "a digest never moves"),
        (f"shop@sha256:{'0' * 64}", "a digest never moves"),
        ("^v[0-9]+$", "only * is a wildcard"),
        ("v?", "only * is a wildcard"),
        ("{latest,v1}", "only * is a wildcard"),
    ],
)
def test_a_tag_with_something_around_it_is_refused_with_what_to_write(
    tag: str, advice: str
) -> None:
    [reason] = told(tags=["v*", tag])

    assert reason.startswith("tags[1]: ")
    assert advice in reason


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        (
            "https://shop.x1y2z3x1y2z3a.us-east-1.cs.amazonlightsail.com/",
            "write shop",
        ),
        ("shop.x1y2z3x1y2z3a.us-east-1.cs.amazonlightsail.com", "write shop"),
        ("shop.service.local", "write shop"),
        (":shop.web.latest", "write shop"),
        (
            "arn:aws:lightsail:us-east-1:123456789012:ContainerService/0a1b2c3d-1111-2222-3333-44",
            "aws lightsail get-container-services",
        ),
    ],
)
def test_the_address_of_a_service_is_refused_with_its_name_or_where_to_find_it(
    name: str, advice: str
) -> None:
    [reason] = told(serviceName=name)

    assert reason.startswith("serviceName: ")
    assert advice in reason


RDS = "us-east-1.rds.amazonaws.com"


@pytest.mark.parametrize(
    ("key", "address", "advice"),
    [
        ("instance", f"shop-db.c1a2b3c4d5e6.{RDS}", "write shop-db"),
        ("instance", f"shop-db.c1a2b3c4d5e6.{RDS}:5432", "write shop-db"),
        ("instance", f"Shop-DB.c1a2b3c4d5e6.{RDS}", "write shop-db"),
        ("instance", f"postgres://shop:hunter2@shop-db.c1a2b3c4d5e6.{RDS}:5432/shop", "shop-db"),
        ("instance", "shop-db.c1a2b3.cn-north-1.rds.amazonaws.com.cn", "write shop-db"),
        ("instance", "arn:aws:rds:us-east-1:123456789012:db:shop-db", "write shop-db"),
        (
            "instance",
            "https://us-east-1.console.aws.amazon.com/rds/home?region=us-east-1#database:id=shop-db"
            ";is-cluster=false",
            "write shop-db",
        ),
        (
            "instance",
            f"shop.cluster-c1a2b3c4d5e6.{RDS}",
            'write "cluster": "shop" in place of "instance"',
        ),
        (
            "instance",
            "arn:aws:rds:us-east-1:123456789012:cluster:shop",
            'write "cluster": "shop" in place of "instance"',
        ),
        ("instance", f"shop.proxy-c1a2b3c4d5e6.{RDS}", "RDS Proxy"),
        ("instance", "arn:aws:rds:us-east-1:123456789012:db-proxy:prx-0a1b", "RDS Proxy"),
        ("instance", f"ls-0123456789abcdef.c1a2b3.{RDS}", '"lightsail"'),
        ("cluster", f"shop.cluster-c1a2b3c4d5e6.{RDS}", "write shop"),
        ("cluster", f"shop.cluster-ro-c1a2b3c4d5e6.{RDS}", "write shop"),
        ("cluster", f"reports.cluster-custom-c1a2b3.{RDS}", "identifier of the cluster"),
        ("cluster", f"shop-1.c1a2b3.{RDS}", 'write "instance": "shop-1" in place of "cluster"'),
        (
            "lightsail",
            "arn:aws:lightsail:us-east-1:123456789012:RelationalDatabase/0a1b",
            "get-relational-databases",
        ),
        ("lightsail", f"ls-0123456789abcdef.c1a2b3.{RDS}", "get-relational-databases"),
    ],
)
def test_the_address_of_a_database_is_refused_with_its_identifier(
    key: str, address: str, advice: str
) -> None:
    [reason] = told(database={key: address})

    assert reason.startswith(f"database.{key}: ")
    assert advice in reason
    assert "hunter2" not in reason


SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    ("reference", "advice"),
    [
        (
            " arn:aws:secretsmanager:us-east-1:123456789012:secret:crops/db-AbC1d2:url::",
            "write secretsmanager:crops/db:url",
        ),
        ("arn:aws:ssm:us-east-1:123456789012:parameter/crops/key:3", "write ssm:/crops/key"),
        ("ssm:crops/key", "write ssm:/crops/key"),
        ("ssm://crops/key", "write ssm:/crops/key"),
        ("ssm:/crops/key:3", "write ssm:/crops/key"),
        ("SSM:/crops/key", "write ssm:/crops/key"),
        ("parameter-store:/crops/key", "write ssm:/crops/key"),
        ("aws_ssm:/crops/key", "write ssm:/crops/key"),
        (" ssm:/crops/key", "write ssm:/crops/key"),
        ("secretsmanager://crops/db", "write secretsmanager:crops/db"),
        ("secrets-manager:crops/db:url", "write secretsmanager:crops/db:url"),
        ("secretmanager:crops/db", "write secretsmanager:crops/db"),
        ("secretsmanager:crops/db#url", "write secretsmanager:crops/db:url"),
        ("secretsmanager:crops/db:url::", "write secretsmanager:crops/db:url"),
        ("/crops/key", "put ssm: before it"),
        ("$DATABASE_URL", "variables are not filled in"),
        ("${DATABASE_URL}", "variables are not filled in"),
        (SECRET, "allowed is secretsmanager:NAME"),
        (f"postgres://crops:{SECRET}@db/crops", "allowed is secretsmanager:NAME"),
        (f"/{SECRET}/{SECRET}", "put ssm: before it"),
    ],
)
def test_another_form_of_a_secret_reference_is_refused_with_the_right_one_and_no_secret(
    reference: str, advice: str
) -> None:
    [reason] = told(secrets={"KEY": reference})

    assert reason.startswith("secrets.KEY: is not a reference to a secret")
    assert advice in reason
    assert SECRET not in reason


@pytest.mark.parametrize(
    ("image", "advice"),
    [
        ("https://public.ecr.aws/nginx/nginx:1.27", "write public.ecr.aws/nginx/nginx:1.27"),
        ("docker://redis:7", "write redis:7"),
        ("Redis:7", "write redis:7"),
        ("ghcr.io/Acme/Proxy:v1", "write ghcr.io/acme/proxy:v1"),
        ("nginx/", "write nginx"),
        (
            "arn:aws:ecr:us-east-1:123456789012:repository/proxy",
            f"write {OUR_HOST}/proxy",
        ),
    ],
)
def test_an_image_in_a_form_that_nobody_pulls_is_refused_with_the_right_one(
    image: str, advice: str
) -> None:
    [reason] = with_image(image)

    assert reason.startswith("containers.side.image: ")
    assert reason.endswith(f"{advice}@sha256:…, with its digest")


@pytest.mark.parametrize(
    "image",
    [
        "redis",
        "redis:7",
        "bitnami/redis:7.2-debian-12",
        "public.ecr.aws/nginx/nginx:1.27",
        "localhost:5000/proxy",
        "registry.example.com:5000/team/proxy:v1",
        f"{OUR_HOST}/proxy:v1",
        "gcr.io/cloud_sql__x/proxy---1",
    ],
)
def test_any_image_that_can_be_pulled_is_taken_with_its_digest_and_refused_by_its_tag(
    image: str,
) -> None:
    [reason] = with_image(image)

    assert with_image(f"{image}@sha256:{'0' * 64}") == []
    assert reason.startswith(f'containers.side.image: "{image}" can become another image')
    assert f"; write {image}@sha256:…" in reason


@pytest.mark.parametrize(
    "image",
    [
        f"{OUR_HOST}/crops-backend:latest",
        f"{OUR_HOST}/crops-backend",
        f"{OUR_HOST}/crops-backend:v11",
        f"{OUR_HOST}/crops-backend:lightgate-7f5b2640fe6f",
        "crops-backend:latest",
    ],
)
def test_the_apps_own_repository_under_any_tag_is_no_image_of_a_container(
    image: str,
) -> None:
    [reason] = with_image(image)

    assert reason.startswith("containers.side.image: ")
    assert reason.endswith("remove the image, and the container runs the image that was pushed")


def test_a_repository_of_that_name_in_another_registry_is_another_image() -> None:
    image = "999999999999.dkr.ecr.us-east-1.amazonaws.com/crops-backend:latest"
    containers = {"migrate": migrate(), "web": web(), "side": {"image": image, "command": ["run"]}}

    [reason] = told(HOME, containers=containers)

    assert "can become another image at any time" in reason


def test_the_apps_own_repository_by_a_digest_is_meant() -> None:
    assert with_image(f"{OUR_HOST}/crops-backend@sha256:{'0' * 64}") == []


@pytest.mark.parametrize("key", ["path", "healthCheck"])
def test_a_url_in_place_of_a_path_is_refused_with_the_path(key: str) -> None:
    url = "https://shop.example/healthz?full=1"
    endpoint = {"containerName": "web", "containerPort": 8000, "healthCheck": {"path": url}}
    changes = {"publicEndpoint": endpoint} if key == "healthCheck" else {"verification": {key: url}}

    [reason] = told(**changes)

    assert reason.endswith("; write /healthz?full=1")


@pytest.mark.parametrize(
    "name",
    [
        "/lightgate/apps/shop",
        "arn:aws:ssm:us-east-1:123456789012:parameter/lightgate/apps/shop",
    ],
)
def test_the_parameter_of_an_app_is_refused_with_the_name_of_the_app(name: str) -> None:
    with pytest.raises(SpecError, match=r"^app: .*; write shop$"):
        parse_app_name(name)


@pytest.mark.parametrize(
    ("request_", "advice"),
    [
        ({"tag": "shop:v1"}, "write v1"),
        ({"tag": f"{OUR_HOST}/shop:v1"}, "write v1"),
        ({"digest": f"shop@sha256:{'0' * 64}"}, f"write sha256:{'0' * 64}"),
        ({"digest": f"SHA256:{'A' * 64}"}, f"write sha256:{'a' * 64}"),
    ],
)
def test_an_address_in_a_request_by_hand_is_refused_with_what_to_write(
    request_: Json, advice: str
) -> None:
    [reason] = reasons_of(lambda: parse_request({"app": "shop", **request_}))

    assert advice in reason


def test_what_is_shown_of_a_wrong_value_has_no_password_of_a_url() -> None:
    url = "postgres://crops:hunter2@db.example/crops"

    reasons = told(repository=url, stage=url, database={"instance": url}, unprotected=url)

    assert len(reasons) == 4
    assert "hunter2" not in " ".join(reasons)


def test_an_error_about_a_secret_does_not_show_it() -> None:
    shell = {"command": "PGPASSWORD=hunter2 psql", "healthCheck": {"command": "x --token=hunter2"}}

    reasons = told(
        environment={"DB_PASSWORD": 20260101, "WORKERS": 2},
        containers={"migrate": migrate(), "web": web(), "side": shell},
    )

    assert [reason.partition(":")[0] for reason in reasons] == [
        "environment.DB_PASSWORD",
        "environment.WORKERS",
        "containers.side.command",
        "containers.side.healthCheck.command",
    ]
    assert "hunter2" not in " ".join(reasons)
    assert "20260101" not in " ".join(reasons)


@given(st.text(max_size=60))
def test_whatever_name_is_suggested_would_be_taken(text: str) -> None:
    name = repository_in(text)

    assert name is None or told(repository=name) == []
