"""Whole pieces of work, each a recipe of what lies below: tune, evaluate, predict, describe."""
