"""What shows a finished run: its figures, as data; pictures of them; its page.

They need the extra `plots`; matplotlib is imported when a picture is drawn, not before.
"""

from linprobe.report.figures import scale_templates
from linprobe.report.pictures import draw

__all__ = ["draw", "scale_templates"]
