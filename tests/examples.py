"""How many examples Hypothesis draws: few in `make test`, all of them in .ci/run."""

from typing import Any

from hypothesis import settings

PROFILE: Any = settings.default


def examples(count, **options):
    """Settings with so many examples where the profile has a hundred, and with a share of them where it has fewer."""
    return settings(max_examples=max(3, count * PROFILE.max_examples // 100), deadline=None, **options)
