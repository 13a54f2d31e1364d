"""What is in a source, and about how long `tune` will take on it; nothing is trained."""

from linprobe.tasks.describe.steps import description_steps
from linprobe.tasks.describe.task import ArrayInfo, Description, Shared, SplitInfo, describe

__all__ = ["ArrayInfo", "Description", "Shared", "SplitInfo", "describe", "description_steps"]
