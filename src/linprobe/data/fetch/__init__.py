"""Fetch a dataset's archive, verify it, and keep it in a cache that holds verified files or nothing."""

from linprobe.data.fetch.cache import ARCHIVES, Archive, Verified, cache_folder, verified
from linprobe.data.fetch.fetching import cached, fetch, obtain
from linprobe.data.fetch.partial import Progress

__all__ = ["ARCHIVES", "Archive", "Progress", "Verified", "cache_folder", "cached", "fetch", "obtain", "verified"]
