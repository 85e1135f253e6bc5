"""What a stall sells. The column takes NULL, so v1 goes on writing rows without it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    op.add_column("stall", sa.Column("goods", sa.String(60), nullable=True))


def downgrade():
    op.drop_column("stall", "goods")
