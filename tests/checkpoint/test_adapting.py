"""State dicts of other code bases: prefixes, leftovers, shapes, dtypes and values."""

import warnings

import pytest
import torch
from torch import nn

from vgtoolbox.checkpoint import (
    CheckpointError,
    CheckpointMismatchError,
    convert_checkpoint,
    load_state_dict_strict,
    save_checkpoint,
)
from vgtoolbox.checkpoint.strict import strip_wrapper_prefix


class Grounder(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)
        self.table = nn.Parameter(torch.arange(12.0).reshape(3, 4))
        self.register_buffer("attn_mask", torch.full((2, 2), -torch.inf).triu(1))


class Wrapped(nn.Module):
    """Model of its own whose parts have the names of wrappers."""

    def __init__(self):
        super().__init__()
        self.module = nn.Linear(1, 1)
        self.total_ops = nn.Linear(1, 1)


@pytest.fixture
def state():
    torch.manual_seed(0)
    return Grounder().state_dict()


def load(state, **options):
    model = Grounder()
    report = load_state_dict_strict(model, state, source="x.pth", **options)
    return model, report


def with_prefix(state, prefix):
    return {prefix + key: value for key, value in state.items()}


@pytest.mark.parametrize(
    "prefix",
    [
        *("model.", "net.", "ema.", "model_ema.module.", "module.module.", "_orig_mod.model."),
        *("model._orig_mod.", "_forward_module.module.", "_fsdp_wrapped_module.", "grounder."),
        "student.net._orig_mod.",
    ],
)
def test_a_prefix_of_all_keys_is_dropped_if_the_rest_fits(state, prefix):
    model, report = load(with_prefix(state, prefix))
    assert report.complete
    assert torch.equal(model.backbone.weight, state["backbone.weight"])


@pytest.mark.parametrize(
    "inner", ["_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"]
)
def test_wrappers_of_parts_are_dropped(state, inner):
    changed = {key.replace("norm.", f"norm.{inner}."): value for key, value in state.items()}
    assert load(changed)[1].complete
    assert load(with_prefix(changed, "module."))[1].complete


def test_names_of_wrappers_that_the_model_has_are_kept():
    source = Wrapped()
    target = Wrapped()
    assert load_state_dict_strict(target, source.state_dict()).complete
    assert torch.equal(target.module.weight, source.module.weight)


def test_an_unknown_prefix_of_another_model_stays_in_the_error():
    with pytest.raises(CheckpointMismatchError, match=r"2 unexpected\n    other\.weight"):
        load(with_prefix(nn.Linear(2, 2).state_dict(), "other."))
    assert set(strip_wrapper_prefix({"other.weight": torch.ones(1)})) == {"other.weight"}


def test_leftovers_of_profilers_and_averaging_are_dropped(state):
    extra = {
        "total_ops": torch.zeros(1, dtype=torch.float64),
        "backbone.total_params": torch.zeros(1),
        "n_averaged": torch.tensor(3),
        "backbone.position_ids": torch.arange(3),
        "rotary_emb.inv_freq": torch.ones(2),
    }
    assert load({**with_prefix(state, "module."), **extra})[1].complete


def test_entries_without_weights_may_be_missing_or_left_over(state):
    del state["norm.num_batches_tracked"]
    state["backbone.num_batches_tracked"] = torch.tensor(7)
    with pytest.warns(UserWarning, match="x.pth: entries without weights") as caught:
        assert load(state)[1].complete
    assert len(caught) == 2


@pytest.mark.parametrize("shape", [(1, 3, 4), (1, 1, 3, 4)])
def test_shapes_that_differ_by_leading_ones_are_adapted_and_named(state, shape):
    state["table"] = state["table"].reshape(shape)
    with pytest.warns(UserWarning, match=r"leading ones.*table \[1.*\] -> \[3, 4\]"):
        model, _ = load(state)
    assert torch.equal(model.table, torch.arange(12.0).reshape(3, 4))
    for other in ((3, 1, 4), (4, 3), (12,), (3, 4, 1)):
        with pytest.raises(CheckpointMismatchError, match="mis-shaped"):
            load({**state, "table": torch.arange(12.0).reshape(other)})


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_weights_that_are_not_finite_are_named(state, value, dtype):
    before = Grounder()
    state["norm.running_var"][2] = value
    state["table"] = state["table"].clone()
    state["table"][1, 1] = value
    state = {k: v.to(dtype) if v.is_floating_point() else v for k, v in state.items()}
    with pytest.raises(CheckpointError, match=r"x\.pth: 2 tensors .* table, norm\.running_var\."):
        load_state_dict_strict(before, state, source="x.pth")
    assert torch.isfinite(before.table).all()
    model, _ = load(state, allow_nonfinite=True)
    assert not torch.isfinite(model.table[1, 1])


def test_large_values_and_masks_of_attention_are_finite_enough(state):
    state["table"] = torch.full((3, 4), 3e38)  # their sum is not finite
    assert load(state)[1].complete
    state["attn_mask"][0, 0] = torch.nan
    with pytest.raises(CheckpointError, match="got NaN or infinite values in attn_mask"):
        load(state)


def test_a_file_with_nan_is_not_converted(tmp_path, state):
    state["table"][0, 0] = torch.nan
    save_checkpoint({"state_dict": state}, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match=r"x\.pth: 1 tensors must be finite.* in table"):
        convert_checkpoint(tmp_path / "x.pth", tmp_path / "y.safetensors")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.float8_e4m3fn])
def test_real_numbers_of_any_precision_are_loaded(state, dtype):
    state["table"] = state["table"].to(dtype)
    model, _ = load(state)
    assert model.table.dtype == torch.float32
    assert torch.equal(model.table, torch.arange(12.0).reshape(3, 4))


@pytest.mark.parametrize(
    "dtype", [torch.int8, torch.uint8, torch.int32, torch.bool, torch.complex64]
)
def test_numbers_of_another_kind_are_refused(state, dtype):
    state["table"] = state["table"].to(dtype)
    name = str(dtype).removeprefix("torch.")
    with pytest.raises(CheckpointError, match=rf"table: {name} in the checkpoint, float32"):
        load(state)


def test_a_counter_that_was_halved_is_loaded(state):
    state["norm.num_batches_tracked"] = torch.tensor(40.0, dtype=torch.float16)
    assert load(state)[0].norm.num_batches_tracked == 40
    state["norm.num_batches_tracked"] = torch.tensor(0.5)
    with pytest.raises(CheckpointError, match="num_batches_tracked: float32 in the checkpoint"):
        load(state)


@pytest.mark.parametrize("key", ["backbone.weight.absmax", "backbone.qweight", "backbone.SCB"])
def test_quantized_checkpoints_are_recognized(state, key):
    with pytest.raises(CheckpointMismatchError, match=r"quantized \(it has " + key):
        load({**state, key: torch.zeros(1)})


def test_nothing_is_said_when_everything_fits(state):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load(with_prefix(state, "module."))[1].complete


def test_a_layout_that_its_weights_do_not_have_is_an_error_of_the_file():
    """The keys promise a BERT and a BEiT-3, the model is neither, and the shapes are wrong."""
    bert = {
        "embeddings.word_embeddings.weight": torch.ones(2),
        "encoder.layer.0.attention.self.query.weight": torch.ones(2),
    }
    beit = {
        "beit3.text_embed.weight": torch.ones(1),
        "beit3.vision_embed.proj.weight": torch.ones(1),
        "beit3.encoder.unknown": torch.ones(1),
    }
    for state in (bert, beit):
        with pytest.raises((CheckpointError, CheckpointMismatchError), match=r"x\.pth"):
            load(state)


def test_an_empty_state_dict_lists_the_missing_entries():
    with pytest.raises(CheckpointMismatchError, match="0 matched"):
        load({})
