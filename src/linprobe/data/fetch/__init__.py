"""Fetch a dataset's archive, verify it, and keep it in a cache that holds verified files or nothing."""

from linprobe.download.cache import ARCHIVES, Archive, Verified, cache_folder, verified
from linprobe.download.fetching import cached, fetch, obtain
from linprobe.download.partial import Progress

__all__ = ["ARCHIVES", "Archive", "Progress", "Verified", "cache_folder", "cached", "fetch", "obtain", "verified"]
