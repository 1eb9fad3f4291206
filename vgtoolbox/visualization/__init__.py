"""Drawing of targets and predictions on images, and of contact sheets and training curves."""

from vgtoolbox.visualization.contact_sheet import SheetEntry, draw_contact_sheet
from vgtoolbox.visualization.grounding_visualizer import GroundingVisualizer
from vgtoolbox.visualization.overlay import Overlay, draw_overlay
from vgtoolbox.visualization.panel import prediction_panel, target_panel

__all__ = [
    "GroundingVisualizer",
    "Overlay",
    "SheetEntry",
    "draw_contact_sheet",
    "draw_overlay",
    "prediction_panel",
    "target_panel",
]
