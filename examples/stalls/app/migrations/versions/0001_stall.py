"""The table and its first rows."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade():
    stall = op.create_table(
        "stall",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("place", sa.String(20), nullable=False),
        sa.Column("keeper", sa.String(60), nullable=False),
    )
    op.bulk_insert(stall, [{"place": "A1", "keeper": "Ada"}, {"place": "B4", "keeper": "Grace"}])


def downgrade():
    op.drop_table("stall")
