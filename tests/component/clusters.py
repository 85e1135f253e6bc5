"""DB clusters in moto: of Aurora, and Multi-AZ ones."""

from moto.rds.models import rds_backends

from tests.component.cloud import ACCOUNT, REGION, Cloud


def add(cloud: Cloud, name: str, engine: str = "aurora-postgresql") -> None:
    """A cluster with one member, which has the name of the cluster and `-1`."""
    rds = cloud.client("rds")
    rds.create_db_cluster(
        DBClusterIdentifier=name,
        Engine=engine,
        MasterUsername="root",
        MasterUserPassword="of-the-tests",
        **({} if engine.startswith("aurora") else _MULTI_AZ),
    )
    rds.create_db_instance(
        DBInstanceIdentifier=f"{name}-1",
        DBClusterIdentifier=name,
        DBInstanceClass="db.r6g.large",
        Engine=engine,
    )


def is_now(name: str, status: str) -> None:
    """Let RDS show the cluster in this status from now on."""
    rds_backends[ACCOUNT][REGION].clusters[name].status = status


_MULTI_AZ = {
    "DBClusterInstanceClass": "db.m6gd.large",
    "StorageType": "io1",
    "Iops": 1000,
    "AllocatedStorage": 100,
}
