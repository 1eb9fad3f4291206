import copy
import pickle
from multiprocessing.reduction import ForkingPickler

import pytest

from vgtoolbox.datasets.record_index import RecordIndex, SharedTable

SHARED = {"bbox": [0, 0, 5, 5], "segmentation": [[float(i) for i in range(1000)]], "ann_id": 1}
OTHER = {"bbox": [1, 1, 5, 5], "segmentation": None, "ann_id": 2}
RECORDS = [
    {"sample_id": "a", "targets": [SHARED, OTHER]},
    {"sample_id": "b", "targets": []},
    {"sample_id": "c", "targets": [SHARED]},
    {"sample_id": "d"},
]


def test_records_are_stored_unchanged():
    assert list(RecordIndex(RECORDS)) == RECORDS
    assert RecordIndex(RECORDS)[-1] == RECORDS[-1]
    assert len(RecordIndex([])) == 0


def test_records_are_copies():
    index = RecordIndex(RECORDS)
    index[0]["targets"][0]["bbox"].clear()
    assert index[0] == RECORDS[0]
    assert index[2] == RECORDS[2]


def test_shared_targets_are_stored_once():
    once = RecordIndex([RECORDS[2]])
    often = RecordIndex([{"sample_id": str(i), "targets": [SHARED]} for i in range(100)])
    assert often.nbytes < 2 * once.nbytes


@pytest.mark.parametrize(
    ("indices", "expected"), [(2, "ab"), (-3, "bcd"), ([3, 0, 0], "daa"), (0, ""), ([], "")]
)
def test_subset_shares_the_arrays(indices, expected):
    index = RecordIndex(RECORDS)
    part = index.subset(indices)
    assert part.column("sample_id") == list(expected)
    assert part._targets is index._targets


def test_spawned_process_receives_handles_instead_of_copies():
    # ForkingPickler is what multiprocessing uses; plain pickling copies.
    table = SharedTable([list(range(100)) for _ in range(1000)])
    assert len(ForkingPickler.dumps(table)) < 4096 < table.nbytes < len(pickle.dumps(table))
    assert pickle.loads(pickle.dumps(table))[999] == list(range(100))
    assert copy.deepcopy(RecordIndex(RECORDS))[0] == RECORDS[0]
