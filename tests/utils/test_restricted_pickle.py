import pickle
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vgtoolbox.utils.restricted_pickle import RefusedPickleError, load_restricted_pickle

# Python 2's cPickle writes this for [{'sent': 'a dog', 'raw': u'caf\xe9', 'n': 3}].
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
    with pytest.raises(pickle.UnpicklingError, match=r"x\.p is truncated or not a pickle"):
        load_restricted_pickle(tmp_path / "x.p")


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("numpy_name", [b"numpy._core", b"numpy.core"])
def test_arrays_are_read_where_they_are_allowed(tmp_path, protocol, numpy_name):
    value = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "n": np.float64(2.5)}
    data = pickle.dumps(value, protocol=protocol)
    if protocol == 2:  # names are written as they are, without their lengths
        data = data.replace(b"numpy._core", numpy_name)
    (tmp_path / "x.pkl").write_bytes(data)
    loaded = load_restricted_pickle(tmp_path / "x.pkl", arrays=True)
    assert loaded["n"] == 2.5
    assert loaded["w"].dtype == np.float32
    assert np.array_equal(loaded["w"], value["w"])


def test_code_next_to_arrays_is_refused(tmp_path):
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


def write(tmp_path, data):
    path = tmp_path / "x.pkl"
    path.write_bytes(data)
    return path


def nested_tuples(fetch):
    """A pickle whose only key is a tuple of 2^40 leaves, made of shared parts."""
    return b"\x80\x02})" + fetch * 40 + b"K\x01s."


@pytest.mark.parametrize(
    "data",
    [
        nested_tuples(b"2\x86"),  # DUP
        nested_tuples(b"q\x01h\x01\x86"),  # BINPUT, BINGET
        nested_tuples(b"r\x01\x00\x00\x00j\x01\x00\x00\x00\x86"),
        nested_tuples(b"p1\ng1\n\x86"),  # PUT, GET as text
        b"\x80\x04})\x85\x94" + b"".join(b"h%c\x86\x94" % n for n in range(40)) + b"K\x01s.",
        # Opcodes that uncover a tuple after the next object was pushed, and name it then.
        b"\x80\x02})q\x01h\x01" + b"\x86K\x010q\x01h\x01" * 40 + b"\x86K\x01s.",
        b"\x80\x02})q\x01h\x01" + b"\x86Nbq\x01h\x01" * 40 + b"\x86K\x01s.",
        b"\x80\x02})q\x01h\x01" + b"\x86(eq\x01h\x01" * 40 + b"\x86K\x01s.",
        b"\x80\x02})q\x01h\x01" + b"\x86q\x01(1q\x02h\x02" * 40 + b"\x86K\x01s.",
        # Levels instead of leaves: hashing them overflows the stack of the interpreter.
        b"\x80\x02})" + b"\x85" * 300_000 + b"K\x01s.",
        b"\x80\x02}" + b"(" * 200_000 + b"t" * 200_000 + b"K\x01s.",
        # A set of one such tuple, and a dictionary made by a call.
        b"\x80\x02c__builtin__\nset\n])\x85" + b"q\x01h\x01\x86" * 40 + b"a\x85R.",
    ],
)
def test_shared_tuples_are_refused_before_they_are_hashed(tmp_path, data):
    with pytest.raises(pickle.UnpicklingError, match=r"x\.pkl .*(key|malformed|not allowed)"):
        load_restricted_pickle(write(tmp_path, data))


@pytest.mark.parametrize(
    "value", [{(1, 2): 3}, {(1, 2)}, frozenset([(1, 2)]), [{"a": {"b": 1, ("c",): 2}}]]
)
@pytest.mark.parametrize("protocol", [2, 4])
def test_keys_must_not_be_tuples(tmp_path, value, protocol):
    """2^17 tuples of -1 and -2 have one hash, so that a dictionary of them takes minutes."""
    with pytest.raises(pickle.UnpicklingError, match="key"):
        load_restricted_pickle(write(tmp_path, pickle.dumps(value, protocol=protocol)))


def test_tuples_that_are_shared_or_many_are_read(tmp_path):
    pair = (0.9, 0.999)
    value = [{"betas": pair, "key": {str(n): (pair, n)}} for n in range(2000)]
    assert load_restricted_pickle(write(tmp_path, pickle.dumps(value))) == value


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x02]r\xff\xff\xff\x7f.",  # a memo of 2^31 entries
        b"\x80\x02]p4000000000\n.",
        b"\x80\x05\x96\x00\x00\x00\x00\x00\x00\x00\x10.",  # a byte array of 2^60 bytes
        b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7fabc.",
        b"\x80\x02X\xff\xff\xff\x7fabc.",
        b"\x80\x02T\xff\xff\xff\xffabc.",  # a negative length
    ],
)
def test_no_more_memory_is_taken_than_the_file_has_bytes(tmp_path, data):
    with pytest.raises(pickle.UnpicklingError, match=r"x\.pkl"):
        load_restricted_pickle(write(tmp_path, data))


def test_integers_of_equal_hash_are_refused(tmp_path):
    modulus = 2**61 - 1
    colliding = {modulus * (2**8 + n): n for n in range(1000)}
    with pytest.raises(pickle.UnpicklingError, match="integers"):
        load_restricted_pickle(write(tmp_path, pickle.dumps(colliding)))
    identifiers = {2**62 + n: n for n in range(1000)}
    assert load_restricted_pickle(write(tmp_path, pickle.dumps(identifiers))) == identifiers


@pytest.mark.parametrize("call", [b"c__builtin__\nset\n", b"c__builtin__\nfrozenset\n"])
def test_calls_do_not_multiply_a_shared_list(tmp_path, call):
    items = b"".join(b"M" + n.to_bytes(2, "little") for n in range(5000))
    data = b"\x80\x02](" + items + b"eq\x010](" + (call + b"h\x01\x85R") * 2000 + b"e."
    with pytest.raises(RefusedPickleError, match="more copies"):
        load_restricted_pickle(write(tmp_path, data))


def reconstruct(state):
    return (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        + state
        + b"b."
    )


def dtype(name, state=b""):
    made = b"cnumpy\ndtype\nU" + bytes([len(name)]) + name + b"\x85R"
    return made + (state + b"b" if state else b"")


@pytest.mark.parametrize(
    "data",
    [
        # The type of the array is called as a function.
        b"\x80\x02cnumpy\nndarray\nK\x01\x85U\x01OU\x08AAAAAAAA\x87R.",
        b"\x80\x02cnumpy\nndarray\n)\x81.",
        # Objects, by type string, by state and by structure.
        reconstruct(b"(K\x01K\x01\x85" + dtype(b"O8") + b"\x89C\x08AAAAAAAAt"),
        reconstruct(b"(K\x01K\x01\x85" + dtype(b"O8") + b"\x89]Nat"),
        reconstruct(b"(K\x01K\x01\x85" + dtype(b"V8") + b"\x89C\x08AAAAAAAAt"),
        reconstruct(
            b"(K\x01K\x01\x85"
            + dtype(b"f8", b"(K\x03U\x01<U\x01xNNJ\xff\xff\xff\xffK\x01K?t")
            + b"\x89C\x08AAAAAAAAt"
        ),
        # More elements than bytes, and a type that is not one.
        reconstruct(b"(K\x01M\xff\xff\x85" + dtype(b"f8") + b"\x89C\x08AAAAAAAAt"),
        reconstruct(b"(K\x01K\x01\x85U\x01O\x89C\x08AAAAAAAAt"),
        # Shapes that are negative or do not fit, and a second state.
        reconstruct(
            b"(K\x01J\xff\xff\xff\xffJ\xff\xff\xff\xff\x86" + dtype(b"f8") + b"\x89C\x08AAAAAAAAt"
        ),
        reconstruct(b"(K\x01K\x00\x85" + dtype(b"f8") + b"\x89C\x08AAAAAAAAt"),
        reconstruct(
            b"(K\x01K\x01\x85"
            + dtype(b"f8")
            + b"\x89C\x08AAAAAAAAtb"
            + b"(K\x01K\x01\x85"
            + dtype(b"i8")
            + b"\x89C\x08AAAAAAAAt"
        ),
        # Types that NumPy would parse at length, or that are not one number.
        *(
            b"\x80\x02" + dtype(name) + b"."
            for name in (b"(9,9)f8", b"f8,f8", b"S8", b"M8[s]", b"U1")
        ),
        b"\x80\x02cnumpy.core.multiarray\nscalar\n" + dtype(b"O8") + b"C\x08AAAAAAAA\x86R.",
        b"\x80\x02cnumpy.core.multiarray\nscalar\n" + dtype(b"f8") + b"C\x02AA\x86R.",
        b"\x80\x02cnumpy.core.numeric\n_frombuffer\n(C\x08AAAAAAAA"
        + dtype(b"O8")
        + b"K\x01\x85U\x01CtR.",
    ],
)
def test_forged_arrays_are_refused(tmp_path, data):
    with pytest.raises(pickle.UnpicklingError, match=r"x\.pkl"):
        load_restricted_pickle(write(tmp_path, data), arrays=True)


@pytest.mark.parametrize("kind", ["?", "i1", "u2", "<i4", ">f8", "c16", "f2"])
@pytest.mark.parametrize("shape", [(), (0,), (2, 3), (2, 0, 3)])
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_numeric_arrays_of_any_type_and_shape_come_back(tmp_path, kind, shape, protocol):
    array = np.ones(shape, kind)
    path = write(tmp_path, pickle.dumps([array, np.asfortranarray(array)], protocol=protocol))
    for loaded in load_restricted_pickle(path, arrays=True):
        assert loaded.dtype.newbyteorder("=") == array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(loaded, array)


@pytest.mark.parametrize(
    "name", [b"cnumpy\ndtype\n", b"c_codecs\nencode\n", b"ccollections\nOrderedDict\n"]
)
@pytest.mark.parametrize("state", [b"}U\x01aK\x01s", b"N}U\x0c__defaults__K\x01K\x02\x86s\x86"])
def test_the_functions_of_the_reader_are_not_modified(tmp_path, name, state):
    with pytest.raises(RefusedPickleError, match="modifies a function"):
        load_restricted_pickle(write(tmp_path, b"\x80\x02" + name + state + b"b."), arrays=True)


def test_the_methods_of_a_dictionary_are_not_replaced(tmp_path):
    value = OrderedDict(a=1)
    data = pickle.dumps(value, protocol=2)[:-1] + b"}X\x05\x00\x00\x00itemsK\x01sb."
    loaded = load_restricted_pickle(write(tmp_path, data))
    assert dict(loaded) == {"a": 1}
    assert list(loaded.items()) == [("a", 1)]


def test_the_bytes_of_an_array_are_not_multiplied(tmp_path):
    one = reconstruct(b"(K\x01M\xe8\x03\x85" + dtype(b"i1") + b"\x89h\x09t")[2:-1]
    data = b"\x80\x04](" + b"B\xe8\x03\x00\x00" + bytes(1000) + b"q\x09" + one * 1000 + b"e."
    with pytest.raises(RefusedPickleError, match="more copies"):
        load_restricted_pickle(write(tmp_path, data), arrays=True)


def test_what_follows_the_first_pickle_is_not_read(tmp_path):
    path = write(tmp_path, pickle.dumps([1]) + b"\xff" * 10)
    assert load_restricted_pickle(path) == [1]


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.integers(0, 9), inner, max_size=4)
        | st.tuples(inner, inner)
    ),
    max_leaves=20,
)


@given(value=values, protocol=st.integers(0, 5))
def test_plain_data_round_trip(tmp_path_factory, value, protocol):
    path = write(tmp_path_factory.mktemp("pickle"), pickle.dumps(value, protocol=protocol))
    assert load_restricted_pickle(path) == value


@given(data=st.binary(max_size=60), keep=st.integers(0, 200))
def test_any_bytes_give_data_or_one_kind_of_error(tmp_path_factory, data, keep):
    whole = pickle.dumps([{"a": np.arange(3), "b": ("c", 1.5)}], protocol=2)
    path = write(tmp_path_factory.mktemp("pickle"), whole[:keep] + data + whole[keep:])
    with suppress(pickle.UnpicklingError):
        load_restricted_pickle(path, arrays=True)
