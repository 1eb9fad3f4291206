"""Registries that resolve `type='Name'` in a config to a class.

Each registry is a child of mmengine's root registry of the same role. mmengine's own types
(`EpochBasedTrainLoop`, `CheckpointHook`, ...) therefore resolve without a prefix, types of other
OpenMMLab packages with one (`mmdet.ResNet`). A registry imports its package on the first lookup;
importing this module imports none of them.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from mmengine import registry as root
from mmengine.registry import Registry as MMEngineRegistry

from vgtoolbox.utils.deprecation import current_type
from vgtoolbox.utils.openmmlab import OPENMMLAB_SCOPES, import_openmmlab

SCOPE = "vgtoolbox"


class UnknownTypeError(KeyError):
    """A type in a config is not registered."""

    def __str__(self) -> str:
        # KeyError quotes its message, which would print line breaks as \n.
        return str(self.args[0])


class Registry(MMEngineRegistry):
    """Registry that resolves `mmdet.*` and `mmcv.*` and suggests names for unknown types."""

    def get(self, key: str) -> Any:
        """Return the class or function registered as `key`.

        Args:
            key: Registered name as `Name` or `vgtoolbox.Name`, a type of another package as
                `mmdet.Name`, or the import path of a class.

        Raises:
            UnknownTypeError: Nothing is registered under that name.
            ImportError: `key` is an OpenMMLab type and that package is not installed.
        """
        scope, name = self.split_scope_key(key)
        if scope in OPENMMLAB_SCOPES:
            import_openmmlab(scope)
        if isinstance(key, str) and "." not in key and key not in self.known_types():
            # mmengine would import a module of that name, from any folder in the path.
            if (present := current_type(key)) != key:
                return self.get(present)
            raise UnknownTypeError(self._explain(key))
        try:
            # mmcv registers its modules in mmengine's root without a scope of its own. In a lookup
            # from here, a module of ours with the same name would hide it.
            found = self._get_root_registry().get(name) if scope == "mmcv" else super().get(key)
        except RuntimeError:  # mmengine's "Failed to get", when the name is not importable either
            found = None
        if found is None and (present := current_type(key)) != key:
            return self.get(present)
        if found is None:
            raise UnknownTypeError(self._explain(key))
        return found

    def known_types(self) -> list[str]:
        """Return the sorted names of the types in this registry and its ancestors."""
        self.import_from_location()
        names, registry = set(), self
        while registry is not None:
            names.update(registry.module_dict)
            registry = registry.parent
        return sorted(names)

    def _explain(self, key: str) -> str:
        """Return the error message for an unknown type, with similar names or all names."""
        known = self.known_types()
        nearest = get_close_matches(key.split(".")[-1], known, n=3, cutoff=0.5)
        hint = (
            f"did you mean {' or '.join(map(repr, nearest))}?"
            if nearest
            else f"registered types: {known}."
        )
        return (
            f"{key!r} is not a {self.name} of {SCOPE}; {hint} To use a class of your own, import "
            "its module with custom_imports=dict(imports=['your.module'])"
        )


def _child(name: str, parent: MMEngineRegistry, *locations: str) -> Registry:
    """Return a child of one of mmengine's root registries.

    Args:
        name: Name of the registry in error messages.
        parent: Root registry of mmengine.
        *locations: Subpackages to import on the first lookup.
    """
    return Registry(
        name, parent=parent, scope=SCOPE, locations=[f"{SCOPE}.{place}" for place in locations]
    )


MODELS = _child("model", root.MODELS, "models")
TASK_UTILS = _child("task util", root.TASK_UTILS, "models")
DATASETS = _child("dataset", root.DATASETS, "datasets")
TRANSFORMS = _child("transform", root.TRANSFORMS, "datasets")
DATA_SAMPLERS = _child("data sampler", root.DATA_SAMPLERS, "datasets")
FUNCTIONS = _child("function", root.FUNCTIONS, "datasets")
METRICS = _child("metric", root.METRICS, "evaluation")
VISUALIZERS = _child("visualizer", root.VISUALIZERS, "visualization")
VISBACKENDS = _child("vis backend", root.VISBACKENDS, "visualization")
HOOKS = _child("hook", root.HOOKS, "engine")
LOOPS = _child("loop", root.LOOPS, "engine")
RUNNERS = _child("runner", root.RUNNERS, "engine")
OPTIM_WRAPPERS = _child("optimizer wrapper", root.OPTIM_WRAPPERS, "engine")
OPTIM_WRAPPER_CONSTRUCTORS = _child(
    "optimizer wrapper constructor", root.OPTIM_WRAPPER_CONSTRUCTORS, "engine"
)
PARAM_SCHEDULERS = _child("parameter scheduler", root.PARAM_SCHEDULERS, "engine")
OPTIMIZERS = _child("optimizer", root.OPTIMIZERS, "engine")
LOG_PROCESSORS = _child("log processor", root.LOG_PROCESSORS, "engine")
EVALUATOR = _child("evaluator", root.EVALUATOR, "evaluation")
MODEL_WRAPPERS = _child("model wrapper", root.MODEL_WRAPPERS, "engine")
WEIGHT_INITIALIZERS = _child("weight initializer", root.WEIGHT_INITIALIZERS, "models")
INFERENCERS = _child("inferencer", root.INFERENCERS, "inference")

# mmengine has no root registry for text tokenizers.
TOKENIZERS = Registry("tokenizer", scope=SCOPE, locations=[f"{SCOPE}.datasets"])
