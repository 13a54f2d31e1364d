"""What is in a source, and about how long `tune` will take on it; nothing is trained."""

from linprobe.describe.describe import ArrayInfo, Description, Shared, SplitInfo, describe
from linprobe.describe.words import description_steps

__all__ = ["ArrayInfo", "Description", "Shared", "SplitInfo", "describe", "description_steps"]
