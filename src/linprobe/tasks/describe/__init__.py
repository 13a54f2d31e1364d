"""What is in a source, and about how long `tune` will take on it; nothing is trained."""

from linprobe.tasks.describe.task import ArrayInfo, Description, Shared, SplitInfo, describe
from linprobe.tasks.describe.words import description_steps

__all__ = ["ArrayInfo", "Description", "Shared", "SplitInfo", "describe", "description_steps"]
