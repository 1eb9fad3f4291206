"""Table of the fuzzed formats: corpus, mutators, and the module with the reader under test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from fuzzing import binary_mutators as binary
from fuzzing.byte_mutators import BYTES, TEXT, Mutator, mutate_literals
from fuzzing.json_mutators import compress, mutate_json, mutate_json_encoding, mutate_json_lines

_JSON = (mutate_json,) * 14 + (mutate_json_encoding, compress, *TEXT)
_LINES = (mutate_json_lines,) * 14 + (mutate_json_encoding, compress, *TEXT)
_SOURCE = (mutate_literals,) * 8 + TEXT
_PICKLE = (binary.mutate_pickle,) * 8 + BYTES
_ZIP = (binary.mutate_zip,) * 6 + (binary.mutate_zip_directory,) * 4 + BYTES
_LEGACY = (binary.mutate_legacy_torch,) * 8 + BYTES
_SAFETENSORS = (binary.mutate_safetensors,) * 8 + BYTES

IMAGE_MUTATORS: Mapping[str, tuple[Mutator, ...]] = MappingProxyType(
    {
        "jpeg": (binary.mutate_jpeg,) * 8 + BYTES,
        "png": (binary.mutate_png,) * 8 + BYTES,
        "webp": BYTES,
        "bmp": BYTES,
        "tiff": BYTES,
        "gif": BYTES,
        "ppm": BYTES + TEXT,
        "jp2": BYTES,
        "avif": BYTES,
    }
)


@dataclass(frozen=True)
class Format:
    """A format of untrusted files.

    Attributes:
        module: Module in `fuzzing` whose `TARGETS` has the reader, by the name of the format.
        mutators: Mutators; one that is named several times is used more often.
        corpus: Folder of the corpus. If empty, the name of the format is used.
    """

    module: str
    mutators: tuple[Mutator, ...]
    corpus: str = ""


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "refcoco-refs": Format("annotation_targets", _PICKLE),
        "refcoco-instances": Format("annotation_targets", _JSON),
        "grefcoco": Format("annotation_targets", _JSON),
        "refzom": Format("annotation_targets", _PICKLE),
        "rrefcoco": Format("annotation_targets", _PICKLE),
        "fprefcoco": Format("annotation_targets", _PICKLE),
        "instancevg": Format("annotation_targets", _JSON),
        "instancevg-index": Format("annotation_targets", _JSON),
        "eevg-list": Format("annotation_targets", _ZIP + _PICKLE),
        "coco-expressions": Format("annotation_targets", _JSON),
        "json-lines": Format("annotation_targets", _LINES),
        "reasonseg": Format("annotation_targets", _JSON),
        "reasonseg-explanations": Format("annotation_targets", _JSON),
        "segllm": Format("annotation_targets", _JSON),
        "segllm-masks": Format("annotation_targets", _JSON),
        "predictions-jsonl": Format("prediction_targets", _LINES),
        "predictions-coco": Format("prediction_targets", _JSON),
        "predictions-refexp": Format("prediction_targets", _JSON),
        "results": Format("prediction_targets", _LINES, "predictions-jsonl"),
        "geometry": Format("prediction_targets", _JSON),
        "pth": Format("checkpoint_targets", _ZIP),
        "pth-legacy": Format("checkpoint_targets", _LEGACY),
        "bin": Format("checkpoint_targets", _ZIP + _LEGACY),
        "safetensors": Format("checkpoint_targets", _SAFETENSORS),
        "pkl": Format("checkpoint_targets", _PICKLE),
        "folder-index": Format("checkpoint_targets", _JSON),
        "folder-shard": Format("checkpoint_targets", _SAFETENSORS, "safetensors"),
        "folder-config": Format("checkpoint_targets", _JSON),
        "config-text": Format("checkpoint_targets", _SOURCE),
        "released-config": Format("checkpoint_targets", _SOURCE),
        "embedded-files": Format("checkpoint_targets", _JSON),
        "metafile": Format("checkpoint_targets", TEXT),
        "pickle": Format("checkpoint_targets", _PICKLE, "refcoco-refs"),
        "pickle-arrays": Format("checkpoint_targets", _PICKLE, "pkl"),
        "spm-tokenizer": Format("text_targets", BYTES),
        "added-tokens": Format("text_targets", _JSON),
        "expressions": Format("text_targets", _JSON),
        "image-names": Format("text_targets", _JSON),
        **{
            f"{use}-{kind}": Format("image_targets", mutators, kind)
            for use in ("infer", "url", "train")
            for kind, mutators in IMAGE_MUTATORS.items()
        },
    }
)
"""Formats by name, in the order of the table."""
