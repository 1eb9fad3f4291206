import pytest

from vgtoolbox.shapes import WorldSpec, prepare_world
from vgtoolbox.shapes.formats import FORMATS, write_formats
from vgtoolbox.shapes.formats.world_annotations import WorldAnnotations


@pytest.fixture(scope="session")
def world_root(tmp_path_factory):
    """Folder of a generated dataset in all formats."""
    root = tmp_path_factory.mktemp("worlds") / "shapes"
    spec = WorldSpec(scale="small", seed=3, num_scenes=(14, 7, 8))
    prepare_world(root, spec, workers=1)
    write_formats(root, FORMATS)
    return root


@pytest.fixture(scope="session")
def world(world_root):
    return WorldAnnotations.read(world_root)
