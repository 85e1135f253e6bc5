"""It fails where two stalls have the same place."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade():
    op.create_unique_constraint("one_keeper_a_place", "stall", ["place"])


def downgrade():
    op.drop_constraint("one_keeper_a_place", "stall")
