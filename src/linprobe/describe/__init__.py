"""What is in a source, and about how long `tune` will take on it; nothing is trained."""

from linprobe.describe.describe import Array, Description, Part, Shared, describe
from linprobe.describe.words import description_steps

__all__ = ["Array", "Description", "Part", "Shared", "describe", "description_steps"]
