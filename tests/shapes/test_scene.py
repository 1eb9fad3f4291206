from dataclasses import replace

import numpy as np
import pytest

from vgtoolbox.shapes.scales import SCALES
from vgtoolbox.shapes.scene import ScenePlacementError, sample_layout


@pytest.mark.parametrize("name", list(SCALES))
def test_layouts_respect_the_limits_of_their_scale(name: str) -> None:
    scale = SCALES[name]
    counts = set()
    for seed in range(40):
        layout = sample_layout(np.random.default_rng(seed), scale)
        counts.add(len(layout.objects))
        assert (layout.height, layout.width) in scale.image_sizes
        for item in layout.objects:
            low, high = scale.diameters[item.size]
            assert low <= item.diameter / (layout.height * layout.width) ** 0.5 <= high
            assert item.shape in scale.shapes
            assert item.color in scale.colors
            reach = item.diameter / 2
            assert reach <= item.center_xy[0] <= layout.width - reach
            assert reach <= item.center_xy[1] <= layout.height - reach
    assert scale.num_objects[0] <= min(counts) < max(counts) <= scale.num_objects[1]


def test_objects_that_do_not_fit_raise() -> None:
    crowded = replace(
        SCALES["tiny"], num_objects=(9, 9), diameters={"huge": (0.6, 0.7)}, max_box_overlap=0.0
    )
    with pytest.raises(ScenePlacementError, match="do not fit"):
        sample_layout(np.random.default_rng(0), crowded)
