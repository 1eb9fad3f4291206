import pytest

from vgtoolbox.shapes import WorldSpec, prepare_world
from vgtoolbox.shapes.formats import FORMATS, write_formats
from vgtoolbox.shapes.formats.tables import WorldTables


@pytest.fixture(scope="session")
def twins(tmp_path_factory):
    """A generated world in all formats."""
    root = tmp_path_factory.mktemp("worlds") / "shapes"
    spec = WorldSpec(scale="small", seed=3, num_scenes=(14, 7, 8))
    prepare_world(root, spec, workers=1)
    write_formats(root, FORMATS)
    return root


@pytest.fixture(scope="session")
def tables(twins):
    return WorldTables.read(twins)
