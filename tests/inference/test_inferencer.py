import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from vgtoolbox.checkpoint import CheckpointError, CheckpointMismatchError, load_checkpoint
from vgtoolbox.engine import ConfigError, load_config
from vgtoolbox.evaluation import read_predictions
from vgtoolbox.inference import GroundingChat, GroundingInferencer, GroundingResult
from vgtoolbox.inference.inputs.images import downscale_to_limit
from vgtoolbox.inference.inputs.pairing import pair_up
from vgtoolbox.registry import INFERENCERS
from vgtoolbox.structures import decode_masks
from vgtoolbox.utils.locks import OutputInUseError

LOW_THR = 0.01  # random weights give low scores
EXPRESSIONS = ["the red circle", "two dogs", "a large blue square on the left"]


def boxes_of(result):
    return np.array([candidate.box_xyxy for candidate in result.candidates])


def assert_same(a, b):
    """Compare results up to rounding, since other batch sizes sum in another order."""
    assert (a.expression, a.size, a.no_target) == (b.expression, b.size, b.no_target)
    np.testing.assert_allclose(boxes_of(a), boxes_of(b), atol=1e-3)
    np.testing.assert_allclose(a.record["scores"], b.record["scores"], atol=1e-5)
    assert a.existence == pytest.approx(b.existence, abs=1e-5)
    differing = decode_masks(a.record["masks"]) ^ decode_masks(b.record["masks"])
    assert differing.float().mean() < 1e-3


class TestLoading:
    def test_released_checkpoint_needs_no_other_file(self, released_checkpoint, images):
        inferencer = GroundingInferencer(checkpoint=released_checkpoint, device="cpu")
        assert inferencer.score_thr == 0.7
        (result,) = inferencer(images[0], "the red circle")
        assert len(result.candidates) == 3

    def test_embedded_config_and_given_config_agree(
        self, inferencer, released_checkpoint, miniature_config, images
    ):
        for config in (miniature_config, load_config(miniature_config)):
            other = GroundingInferencer(
                config, released_checkpoint, device="cpu", score_thr=LOW_THR
            )
            assert other(images, "two dogs") == inferencer(images, "two dogs")

    def test_model_has_the_weights_of_the_checkpoint(self, inferencer, released_checkpoint):
        saved = load_checkpoint(released_checkpoint)["state_dict"]
        loaded = inferencer.model.state_dict()
        assert saved.keys() == loaded.keys()
        assert all(torch.equal(saved[key], loaded[key]) for key in saved)

    def test_random_weights_give_a_warning(self, miniature_config):
        with pytest.warns(UserWarning, match="weights of InstanceVG are random"):
            GroundingInferencer(miniature_config, device="cpu")

    def test_checkpoint_gives_no_warning(self, released_checkpoint):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            GroundingInferencer(checkpoint=released_checkpoint, device="cpu")

    def test_options_override_the_config(self, released_checkpoint):
        options = {"model.postprocessor.merged_mask": "instance"}
        other = GroundingInferencer(None, released_checkpoint, device="cpu", options=options)
        assert other.model.postprocessor.merged_mask == "instance"
        with pytest.raises(ConfigError, match="postprocessor"):
            GroundingInferencer(
                None, released_checkpoint, device="cpu", options={"model.postprocesor.x": 1}
            )

    def test_checkpoint_of_another_model(self, released_checkpoint, miniature_config):
        with pytest.raises(CheckpointMismatchError, match="another size"):
            GroundingInferencer(
                miniature_config,
                released_checkpoint,
                device="cpu",
                options={"model.query_selector.num_queries": 5, "model.box_head.channels": 16}
                | {"model.backbone.vocab_size": 99},
            )

    def test_no_config(self, tmp_path):
        with pytest.raises(ConfigError, match="config or checkpoint must be given, got neither"):
            GroundingInferencer(device="cpu")
        path = tmp_path / "weights.pth"
        torch.save({"state_dict": {"x": torch.zeros(1)}}, path)
        with pytest.raises(CheckpointError, match="contains no config"):
            GroundingInferencer(checkpoint=path, device="cpu")

    def test_no_pipeline(self, miniature_config):
        model = load_config(miniature_config).model
        with pytest.raises(ConfigError, match="must have a test pipeline"):
            GroundingInferencer({"model": model}, device="cpu")

    def test_built_by_the_registry(self, released_checkpoint):
        built = INFERENCERS.build(
            {
                "type": "GroundingInferencer",
                "checkpoint": str(released_checkpoint),
                "device": "cpu",
            }
        )
        assert built.device == torch.device("cpu")


class TestPairing:
    def test_single_item_is_paired_with_all(self, images):
        assert [text for _, text in pair_up(images[0], EXPRESSIONS)] == EXPRESSIONS
        assert [text for _, text in pair_up(images, "it")] == ["it"] * 3
        pairs = pair_up(images, EXPRESSIONS)
        assert all(a is b for (a, _), b in zip(pairs, images, strict=True))

    def test_other_counts_are_an_error(self, images):
        with pytest.raises(ValueError, match="3 images and 2 expressions"):
            pair_up(images, ["a", "b"])

    def test_no_image_gives_no_result(self, inferencer):
        assert inferencer([], "it") == []

    @pytest.mark.parametrize("expressions", [[], [[]], ()])
    def test_no_expression_is_an_error(self, inferencer, images, expressions):
        with pytest.raises(ValueError, match="expressions must contain at least one text"):
            inferencer(images[0], expressions)

    @pytest.mark.parametrize("expressions", [None, 3, b"dogs", [3], [["dogs", None]]])
    def test_expressions_must_be_texts(self, inferencer, images, expressions):
        with pytest.raises(TypeError, match="must be a text"):
            inferencer(images[0], expressions)


class TestResults:
    def test_are_in_original_pixels(self, inferencer, images):
        for image, result in zip(images, inferencer(images, "the red circle"), strict=True):
            height, width = image.shape[:2]
            assert result.size == (height, width)
            boxes = boxes_of(result)
            assert (boxes >= 0).all()
            assert (boxes <= [width, height, width, height]).all()
            assert all(mask["size"] == [height, width] for mask in result.record["masks"])
            assert result.merged_mask.shape == (height, width)

    def test_boxes_scale_with_the_image(self, inferencer):
        # A solid color is the same at any size, so the model gets the same input.
        small, large = (np.full((*size, 3), 90, np.uint8) for size in ((20, 40), (200, 120)))
        a, b = inferencer([small, large], "the red circle")
        scaled = boxes_of(a) * [3, 10, 3, 10]
        np.testing.assert_allclose(scaled, boxes_of(b), atol=1e-3)

    def test_batch_equals_single_calls(self, inferencer, released_checkpoint, images):
        batched = GroundingInferencer(
            None, released_checkpoint, device="cpu", batch_size=3, score_thr=LOW_THR
        )
        single = inferencer(images, EXPRESSIONS)
        for a, b in zip(batched(images, EXPRESSIONS), single, strict=True):
            assert_same(a, b)
        two = [inferencer(i, e)[0] for i, e in zip(images, EXPRESSIONS, strict=True)]
        for a, b in zip(two, single, strict=True):
            assert_same(a, b)

    def test_batch_of_eight_mixed_sizes(self, inferencer, released_checkpoint):
        rng = np.random.default_rng(1)
        sizes = rng.integers(8, 120, (8, 2))
        photos = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
        texts = [f"{'very ' * n}red circle" for n in range(8)]
        eight = GroundingInferencer(
            None, released_checkpoint, device="cpu", batch_size=8, score_thr=LOW_THR
        )
        for a, b in zip(eight(photos, texts), inferencer(photos, texts), strict=True):
            assert_same(a, b)
            unit = np.array([a.size[1], a.size[0]] * 2)
            np.testing.assert_allclose(boxes_of(a) / unit, boxes_of(b) / unit, atol=1e-4, rtol=0)

    def test_last_batch_may_be_smaller(self, released_checkpoint, images):
        two = GroundingInferencer(None, released_checkpoint, device="cpu", batch_size=2)
        assert [r.expression for r in two(images[0], EXPRESSIONS)] == EXPRESSIONS

    def test_repeated_calls_give_equal_results(self, inferencer, images):
        assert not inferencer.model.training  # with dropout, every call would differ
        assert inferencer(images, EXPRESSIONS) == inferencer(images, EXPRESSIONS)

    def test_paths_and_arrays_agree(self, inferencer, images, tmp_path):
        path = tmp_path / "photo.png"
        Image.fromarray(images[0]).save(path)
        by_path, by_array = inferencer(path, "two dogs")[0], inferencer(images[0], "two dogs")[0]
        assert by_path.candidates == by_array.candidates
        assert (by_path.image, by_array.image) == (str(path), "image-0")

    def test_similar_expressions_have_different_ids(self, inferencer, images):
        ids = [r.id for r in inferencer(images[0], ["The dogs", "the dogs", "dogs, the"])]
        assert len(set(ids)) == 3

    def test_threshold_decides_which_candidates_are_targets(
        self, inferencer, released_checkpoint, images
    ):
        strict = GroundingInferencer(None, released_checkpoint, device="cpu", score_thr=0.999)
        (nothing,), (something,) = strict(images[0], "dogs"), inferencer(images[0], "dogs")
        assert nothing.no_target
        assert nothing.targets == []
        assert not something.no_target
        assert something.targets
        # The merged mask contains the masks of the targets.
        union = np.any([target.mask for target in something], axis=0)
        assert not (union & ~something.merged_mask).any()

    @pytest.mark.parametrize("score_thr", [0.0, 0.3, 0.999])
    def test_threshold_of_a_call_equals_that_of_the_model(
        self, inferencer, released_checkpoint, images, score_thr
    ):
        options = {"model.postprocessor.score_thr": score_thr}
        built = GroundingInferencer(None, released_checkpoint, device="cpu", options=options)
        assert built.score_thr == score_thr
        found = inferencer(images, EXPRESSIONS, score_thr=score_thr)
        assert found == built(images, EXPRESSIONS)
        assert inferencer.score_thr == LOW_THR

    def test_eight_threads_with_different_thresholds(self, inferencer, images):
        requests = [(images[n % 3], EXPRESSIONS[n % 3], n / 8) for n in range(8)] * 4

        def ask(request):
            image, expression, score_thr = request
            return inferencer(image, expression, score_thr=score_thr)[0]

        expected = [ask(request) for request in requests]
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(ask, requests)) == expected
        assert len({result.no_target for result in expected}) == 2

    @pytest.mark.parametrize("text", ["斑马 🦓", "Ünïcödé ζέβρα", "x" * 5000])
    def test_any_text_is_accepted(self, inferencer, images, text):
        assert inferencer(images[0], text)[0].expression == text

    def test_500_words_are_truncated_with_a_warning(self, released_checkpoint, images):
        inferencer = GroundingInferencer(None, released_checkpoint, device="cpu")
        with pytest.warns(UserWarning, match="is truncated to max_tokens"):
            (result,) = inferencer(images[0], "red circle " * 250)
        assert result.expression == "red circle " * 250

    def test_one_pixel(self, inferencer):
        (result,) = inferencer(np.zeros((1, 1, 3), np.uint8), "the red circle")
        assert result.size == (1, 1)
        assert inferencer.visualize(np.zeros((1, 1, 3), np.uint8), [result])[0].ndim == 3


class TestVisualize:
    def test_draws_one_image_for_each_result(self, inferencer, images):
        results = inferencer(images, EXPRESSIONS)
        drawn = inferencer.visualize(images, results)
        assert len(drawn) == 3
        for image, result in zip(drawn, results, strict=True):
            enlarged = image.shape[1] / result.size[1]
            assert image.shape[0] > enlarged * result.size[0]  # captions add height
        single = inferencer.visualize(images[0], inferencer(images[0], EXPRESSIONS[0]))
        assert np.array_equal(single[0], drawn[0])


@pytest.mark.parametrize("text", ["", "   ", "?!"])
def test_error_names_the_image_of_an_empty_expression(inferencer, images, text):
    with pytest.raises(ValueError, match=r"image-0.*is empty"):
        inferencer(images[0], text)


@pytest.mark.parametrize("text", ["caf\ud83d box", "\udce9"])
def test_error_names_the_image_of_half_a_character(inferencer, images, text):
    with pytest.raises(ValueError, match=r"the expression for image-0 must be whole characters"):
        inferencer(images[0], text)


@pytest.mark.parametrize("text", ["\u200b", "\u2066 \u2069", "\0"])
def test_error_names_the_image_of_an_invisible_expression(inferencer, images, text):
    with pytest.raises(ValueError, match=r"image-0 is empty"):
        inferencer(images[0], text)


@pytest.mark.parametrize("text", ["the dog " * 250, "\u202ethe dog", "a\0dog", "🐶"])
@pytest.mark.filterwarnings("ignore:an expression of")
def test_other_strange_expressions_are_processed(inferencer, images, text):
    assert inferencer(images[0], text)[0].expression == text


def test_error_names_a_missing_image(inferencer):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.jpg does not exist"):
        inferencer("nowhere.jpg", "the red circle")


@pytest.mark.parametrize("batch_size", [0, -1])
def test_invalid_batch_size(released_checkpoint, batch_size):
    with pytest.raises(ValueError, match="batch_size"):
        GroundingInferencer(checkpoint=released_checkpoint, batch_size=batch_size)


class TestFolders:
    @pytest.fixture
    def folder(self, images, tmp_path):
        for index, image in enumerate(images):
            Image.fromarray(image).save(tmp_path / f"{index}.png")
        return tmp_path

    def test_nested_list_pairs_every_expression_with_every_image(self, inferencer, folder, images):
        results = inferencer(folder, [["two dogs", "the red circle"]])
        assert len(results) == 6
        single = [inferencer(image, text)[0] for image in images for text in results_texts(results)]
        for a, b in zip(results, single, strict=True):
            assert_same(a, b)

    def test_equal_file_names_in_different_folders_have_different_ids(self, inferencer, folder):
        (folder / "below").mkdir()
        (folder / "0.png").rename(folder / "below" / "1.png")
        results = inferencer([folder / "1.png", folder / "below" / "1.png"], "two dogs")
        assert results[0].id != results[1].id

    def test_tensors_and_arrays_agree(self, inferencer, images):
        tensor = torch.from_numpy(images[0]).permute(2, 0, 1)
        assert inferencer(tensor, "two dogs") == inferencer(images[0], "two dogs")

    def test_visualize_reads_the_images_that_the_results_name(self, inferencer, folder, images):
        results = inferencer(folder, "two dogs")
        drawn = inferencer.visualize(None, results)
        assert all(
            np.array_equal(a, b)
            for a, b in zip(drawn, inferencer.visualize(images, results), strict=True)
        )
        with pytest.raises(ValueError, match="got 1 images for 3 results"):
            inferencer.visualize([images[0]], results)


def results_texts(results):
    return list(dict.fromkeys(result.expression for result in results))


class TestStream:
    def test_resumes_after_the_last_complete_line(self, inferencer, images, tmp_path):
        out = tmp_path / "predictions.jsonl"
        request = (images, [EXPRESSIONS])
        stream = inferencer.stream(*request, out_file=out)
        first = [next(stream) for _ in range(4)]
        stream.close()
        out.write_text(out.read_text() + '{"id": "partial li')
        rest = list(inferencer.stream(*request, out_file=out))
        assert len(first) + len(rest) == 9
        assert [GroundingResult.from_dict(r, score_thr=LOW_THR) for r in read_predictions(out)] == [
            replace(result, points_xy=()) for result in inferencer(*request)
        ]
        assert list(inferencer.stream(*request, out_file=out)) == []

    def test_broken_image_does_not_stop_the_others(self, inferencer, images, tmp_path):
        for index, image in enumerate(images):
            Image.fromarray(image).save(tmp_path / f"{index}.png")
        (tmp_path / "1.png").write_text("text")
        failures, out = [], tmp_path / "out.jsonl"
        collect = lambda *failure: failures.append(failure)  # noqa: E731
        results = list(inferencer.stream(tmp_path, "dogs", out_file=out, on_error=collect))
        assert [result.image[-5:] for result in results] == ["0.png", "2.png"]
        ((name, expression, error),) = failures
        assert (name[-5:], expression) == ("1.png", "dogs")
        assert "it contains text" in str(error)
        Image.fromarray(images[1]).save(tmp_path / "1.png")
        (retried,) = inferencer.stream(tmp_path, "dogs", out_file=out)
        assert retried.image.endswith("1.png")

    def test_rejects_a_file_written_with_another_threshold(
        self, released_checkpoint, images, tmp_path
    ):
        out = tmp_path / "out.jsonl"
        default, other = (
            GroundingInferencer(checkpoint=released_checkpoint, device="cpu", score_thr=score_thr)
            for score_thr in (None, 0.5)
        )
        list(default.stream(images[0], "dogs", out_file=out))
        with pytest.raises(ValueError, match=r"written with score_thr = 0\.7, this run has 0\.5"):
            list(other.stream(images[0], "dogs", out_file=out))

    def test_second_stream_to_the_same_file_is_rejected(self, inferencer, images, tmp_path):
        out = tmp_path / "out.jsonl"
        first = inferencer.stream(images, "dogs", out_file=out)
        next(first)
        with pytest.raises(OutputInUseError, match=r"out\.jsonl is in use by process"):
            list(inferencer.stream(images, "dogs", out_file=out))
        assert len([*first]) == 2


def test_results_of_a_huge_image_are_in_its_original_pixels(inferencer, monkeypatch):
    plain = np.full((100, 30, 3), 90, np.uint8)  # the same at any size
    whole = inferencer(plain, "two dogs")[0]
    shrink = partial(downscale_to_limit, limit=1000)
    monkeypatch.setattr("vgtoolbox.inference.preparing.downscale_to_limit", shrink)
    reduced = inferencer(plain, "two dogs")[0]
    assert reduced.size == whole.size
    assert all(mask["size"] == [100, 30] for mask in reduced.record["masks"])
    np.testing.assert_allclose(boxes_of(reduced), boxes_of(whole), atol=0.1)
    assert inferencer.visualize(plain, [reduced])[0].ndim == 3


def test_chat_records_its_rounds(inferencer, images):
    chat = GroundingChat(inferencer, images[0])
    results = [chat.ask("two dogs"), chat.ask("the red circle")]
    assert chat.rounds == tuple(results)
    assert_same(results[1], inferencer(images[0], "the red circle")[0])
    assert chat.undo() == results[1]
    assert chat.rounds == (results[0],)


def test_10_000_characters_are_accepted(inferencer, images):
    assert len(inferencer(images[0], "red circle " * 909)[0].expression) == 9999


@pytest.mark.parametrize("threshold", [-0.1, 1.5, float("nan")])
def test_threshold_outside_of_0_to_1_is_rejected(released_checkpoint, threshold):
    with pytest.raises(ValueError, match="score_thr must be between 0 and 1"):
        GroundingInferencer(checkpoint=released_checkpoint, device="cpu", score_thr=threshold)
