"""Pictures of a finished run: functions that take plain arrays and a path and write a PNG.

They need the extra `plots`; matplotlib is imported when a picture is drawn, not before.
"""

from linprobe.report.confusion import draw_confusion
from linprobe.report.curves import draw_losses
from linprobe.report.grid import draw_grid
from linprobe.report.path import draw_path
from linprobe.report.templates import draw_templates, scale_templates

__all__ = ["draw_confusion", "draw_grid", "draw_losses", "draw_path", "draw_templates", "scale_templates"]
