import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from vgtoolbox.utils.restricted_pickle import RefusedPickleError, load_restricted_pickle

# What Python 2's cPickle writes for [{'sent': 'a dog', 'raw': u'caf\xe9', 'n': 3}].
PYTHON_2 = (
    b"\x80\x02]q\x01}q\x02(U\x04sentq\x03U\x05a dogq\x04U\x03rawq\x05X\x05\x00\x00\x00caf\xc3\xa9"
    b"q\x06U\x01nq\x07K\x03ua."
)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_containers_strings_and_numbers_are_read(tmp_path, protocol):
    value = [{"a": (1, 2.5, None, True), "é": {3, 4}}, OrderedDict(x=frozenset([1])), "text"]
    (tmp_path / "x.p").write_bytes(pickle.dumps(value, protocol=protocol))
    assert load_restricted_pickle(tmp_path / "x.p") == value


def test_python_2_strings_are_read_as_utf_8(tmp_path):
    (tmp_path / "x.p").write_bytes(PYTHON_2)
    assert load_restricted_pickle(tmp_path / "x.p") == [{"sent": "a dog", "raw": "café", "n": 3}]


class _Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_code_in_a_pickle_is_refused_by_name_and_does_not_run(tmp_path):
    witness = tmp_path / "witness"
    (tmp_path / "x.p").write_bytes(pickle.dumps([1, _Touch(witness)]))
    with pytest.raises(RefusedPickleError, match=r"x\.p was not read: it asks for the global '"):
        load_restricted_pickle(tmp_path / "x.p")
    assert not witness.exists()


@pytest.mark.parametrize(
    ("value", "name"),
    [(np.float32(1.0), "numpy"), (Path("a"), "pathlib"), (eval, "builtins.eval")],
)
def test_the_refused_global_is_named(tmp_path, value, name):
    (tmp_path / "x.p").write_bytes(pickle.dumps(value))
    with pytest.raises(RefusedPickleError, match=name):
        load_restricted_pickle(tmp_path / "x.p")


@pytest.mark.parametrize("keep", [0, 1, 20])
def test_a_truncated_file_is_named(tmp_path, keep):
    data = pickle.dumps([{"a": "some text that is long enough"}])
    (tmp_path / "x.p").write_bytes(data[:keep])
    with pytest.raises(pickle.UnpicklingError, match=r"x\.p is truncated or no pickle"):
        load_restricted_pickle(tmp_path / "x.p")


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("numpy_name", [b"numpy._core", b"numpy.core"])
def test_arrays_are_read_where_they_are_allowed(tmp_path, protocol, numpy_name):
    value = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "n": np.float64(2.5)}
    data = pickle.dumps(value, protocol=protocol)
    if protocol == 2:  # names stand as they are, without their lengths
        data = data.replace(b"numpy._core", numpy_name)
    (tmp_path / "x.pkl").write_bytes(data)
    loaded = load_restricted_pickle(tmp_path / "x.pkl", arrays=True)
    assert loaded["n"] == 2.5
    assert loaded["w"].dtype == np.float32
    assert np.array_equal(loaded["w"], value["w"])


def test_code_beside_arrays_is_refused(tmp_path):
    witness = tmp_path / "witness"
    (tmp_path / "x.pkl").write_bytes(pickle.dumps([np.zeros(2), _Touch(witness)]))
    with pytest.raises(RefusedPickleError, match="only containers, strings, numbers and arrays"):
        load_restricted_pickle(tmp_path / "x.pkl", arrays=True)
    assert not witness.exists()


def test_only_the_codec_of_bytes_is_known(tmp_path):
    data = pickle.dumps(b"abc", protocol=2).replace(
        b"X\x06\x00\x00\x00latin1", b"X\x05\x00\x00\x00rot13"
    )
    (tmp_path / "x.pkl").write_bytes(data)
    with pytest.raises(RefusedPickleError, match="codec 'rot13'"):
        load_restricted_pickle(tmp_path / "x.pkl", arrays=True)
