import json
import pickle
import shutil

import pytest

from vgtoolbox.cli.data import note_counts
from vgtoolbox.shapes import WorldSpec, prepare_world
from vgtoolbox.shapes.formats import FORMATS, write_formats


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """Folder of a generated dataset in all formats, with recorded counts."""
    root = tmp_path_factory.mktemp("worlds") / "shapes"
    prepare_world(root, WorldSpec(scale="small", seed=5, num_scenes=(8, 4, 4)), workers=1)
    write_formats(root, FORMATS)
    note_counts(root)
    return root


@pytest.fixture
def copy(world, tmp_path):
    """Copy of the generated dataset that a test can damage."""
    return shutil.copytree(world, tmp_path / "copy")


class Refs:
    """Context manager that reads both files of RefCOCO for changes and writes them at the end."""

    def __init__(self, folder):
        self._files = folder / "refs(unc).p", folder / "instances.json"

    def __enter__(self):
        self.refs = pickle.loads(self._files[0].read_bytes())
        self.instances = json.loads(self._files[1].read_text())
        self.annotations = {item["id"]: item for item in self.instances["annotations"]}
        self.images = {image["id"]: image for image in self.instances["images"]}
        return self

    def __exit__(self, *error):
        self._files[0].write_bytes(pickle.dumps(self.refs, protocol=2))
        self._files[1].write_text(json.dumps(self.instances))

    def of_split(self, split):
        """Return refs of a split with distinct annotations."""
        return list({r["ann_id"]: r for r in self.refs if r["split"] == split}.values())


@pytest.fixture
def refs(copy):
    return Refs(copy / "refcoco")
