from tests.workflow.fixtures import noted, pytest_collection_modifyitems, world

__all__ = ["noted", "pytest_collection_modifyitems", "world"]
