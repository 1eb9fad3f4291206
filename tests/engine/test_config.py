from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vgtoolbox.engine import ConfigError, load_config, parse_options
from vgtoolbox.engine.config import override

CONFIGS = Path(__file__).parents[2] / "configs"
LEAVES = sorted(path for path in CONFIGS.glob("*/*.py") if path.parent.name != "_base_")


@pytest.fixture
def config_file(tmp_path):
    def write(text):
        path = tmp_path / "InstanceVG-toy.py"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def cfg(toy_config):
    return toy_config()


@pytest.mark.parametrize("path", LEAVES, ids=lambda path: path.stem)
def test_every_leaf_config_has_known_keys_only(path):
    cfg = load_config(path)
    assert {"model", "train_dataloader", "test_splits", "optim_wrapper"} <= set(cfg)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lr=1e-3", 1e-3),
        ("lr=true", True),
        ("lr=None", None),
        ("lr=320,320", [320, 320]),
        ("lr=(320,320)", (320, 320)),
        ("lr=[1,2]", [1, 2]),
        ("lr=a,b", ["a", "b"]),
        ("lr=a b", "a b"),
        ("lr='a b'", "a b"),
        ("lr=data/x=y", "data/x=y"),
        ("lr=", ""),
    ],
)
def test_command_line_values_are_parsed(text, expected):
    (value,) = parse_options([text]).values()
    assert value == expected
    assert type(value) is type(expected)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
LITERALS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)
PLAIN_WORDS = st.from_regex(r"[A-Za-z_/.][A-Za-z0-9_/. =:-]*[A-Za-z]", fullmatch=True).filter(
    lambda word: word.lower() not in {"true", "false", "none"}
)


@given(LITERALS)
def test_the_repr_of_a_literal_is_parsed_to_the_literal(value):
    (parsed,) = parse_options([f"lr={value!r}"]).values()
    assert parsed == value
    assert type(parsed) is type(value)


@given(PLAIN_WORDS)
def test_plain_words_stay_text(word):
    assert parse_options([f"lr={word}"]) == {"lr": word}


@pytest.mark.parametrize("value", ["1e--3", "1e", "[1,2", "1,2]", "'a", "(1", "{'a': 1"])
def test_a_malformed_literal_is_an_error_that_names_the_key(value):
    with pytest.raises(ConfigError, match=r"the value of 'model\.lr' must be a literal .* got"):
        parse_options([f"model.lr={value}"])


def test_an_override_without_equals_sign_is_an_error():
    with pytest.raises(ConfigError, match="key=value, got 'lr'"):
        parse_options(["lr"])


def test_existing_keys_and_list_indices_are_set(cfg):
    override(cfg, "optim_wrapper.optimizer.lr", 0.5)
    override(cfg, "param_scheduler.0.end", 3)
    override(cfg, "test_splits.odd.evaluator.0.type", "RESMetric")
    assert cfg.optim_wrapper.optimizer.lr == 0.5
    assert cfg.param_scheduler[0].end == 3
    assert cfg.test_splits.odd.evaluator[0].type == "RESMetric"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("load_from", "a.pth"),  # a top-level key that is not in the config
        ("auto_scale_lr.base_batch_size", 16),  # below such a key
        ("optim_wrapper.accumulative_counts", 4),  # an argument of the class named by type
        ("optim_wrapper.optimizer.betas", (0.9, 0.98)),
        ("default_hooks.checkpoint.save_begin", 3),  # of its base class
        ("model.dropout", 0.0),
        ("train_dataloader.persistent_workers", True),  # of the data loader
        ("randomness.deterministic", True),
        ("train_cfg.val_begin", 2),
        ("optim_wrapper.type", "AutocastOptimWrapper"),  # of mmengine's builders
        ("param_scheduler.0.convert_to_iter_based", True),
        ("default_hooks.timer.priority", "LOW"),
    ],
)
def test_a_new_key_is_accepted_if_the_class_takes_it(cfg, key, value):
    override(cfg, key, value)
    node = cfg
    for name in key.split("."):
        node = node[int(name) if name.isdigit() else name]
    assert node == value


def test_a_new_section_is_created_if_the_class_takes_it(cfg):
    del cfg.optim_wrapper["clip_grad"]
    override(cfg, "optim_wrapper.clip_grad.max_norm", 0.15)
    assert cfg.optim_wrapper.clip_grad == {"max_norm": 0.15}


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("optim_wraper.optimizer.lr", r"the config has no 'optim_wraper'; .*'optim_wrapper'"),
        ("optim_wrapper.optimiser.lr", "did you mean 'optimizer'"),
        ("optim_wrapper.optimizer.learning_rate", "optimizer has no 'learning_rate'"),
        ("model.widht", "model has no 'widht'; did you mean 'width'"),
        ("train_dataloader.batchsize", "did you mean 'batch_size'"),
        ("test_splits.od.dataset.length", "did you mean 'odd'"),
        (
            "param_scheduler.1.end",
            "'1' must be a number from 0 to 0, since 'param_scheduler' is a list of 1",
        ),
        ("param_scheduler.end", "'end' must be a number from 0 to 0"),
        ("train_cfg.max_epochs.x", "'train_cfg.max_epochs' must be a section with keys, got 2"),
    ],
)
def test_an_unknown_key_names_the_nearest_and_leaves_the_config_unchanged(cfg, key, message):
    before = cfg.to_dict()
    with pytest.raises(ConfigError, match=message):
        override(cfg, key, 1)
    assert cfg.to_dict() == before


def test_earlier_names_are_accepted_in_overrides(cfg):
    cfg.custom_hooks = []
    with pytest.warns(DeprecationWarning, match="'num' of GroundingVisualizationHook"):
        override(cfg, "default_hooks.pictures.num", 0)
    assert cfg.default_hooks.pictures == {"type": "GroundingVisualizationHook", "num_samples": 0}
    with pytest.warns(DeprecationWarning) as caught:
        override(cfg, "custom_hooks", [{"type": "ModelOptionHook", "option": "dropout"}])
    assert len(caught) == 2
    assert cfg.custom_hooks == [{"type": "HyperParameterHook", "attribute": "dropout"}]


def test_overrides_apply_in_order(config_file):
    path = config_file("param_scheduler = [dict(type='LinearLR', end=5)]\n")
    options = {"param_scheduler": [{"type": "PolyLR"}], "param_scheduler.0.power": 2}
    assert load_config(path, options).param_scheduler == [{"type": "PolyLR", "power": 2}]


def test_a_misspelled_key_in_a_file_names_the_nearest(config_file):
    with pytest.raises(ConfigError, match=r"InstanceVG-toy\.py: unknown key 'optim_wraper'.*'opt"):
        load_config(config_file("optim_wraper = dict()\n"))


def test_helper_variables_with_underscore_are_dropped(config_file):
    cfg = load_config(config_file("_size = 64\nmodel = dict(type='ToyGrounder', width=_size)\n"))
    assert cfg.to_dict() == {"model": {"type": "ToyGrounder", "width": 64}}


def test_a_missing_file_names_the_nearest(config_file):
    path = config_file("")
    with pytest.raises(FileNotFoundError, match=r"did you mean .*'InstanceVG-toy\.py'"):
        load_config(path.with_name("InstanceVG-tyo.py"))
    with pytest.raises(FileNotFoundError, match="neither a file nor the name of a packaged config"):
        load_config(path.parent / "nowhere" / "a.py")
