"""scikit-learn's metadata routing through a search, which is a router as GridSearchCV is."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sklearn import get_config
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

from linprobe.errors import UsageError
from linprobe.estimators._parameters import Params
from linprobe.estimators._scoring import THE_SCORE, Scorer

__all__ = ["Routed", "route_fit", "route_score", "router_of"]


class Routed(NamedTuple):
    """The weights in training, what the splitter gets, and what each scorer gets: None where nobody says."""

    sample_weight: Any
    of_splitter: Params
    of_scorers: dict[str, Params] | None


def router_of(search: Any, estimator: Any, scorers: Mapping[str, Scorer]) -> MetadataRouter:
    """Where what `fit` and `score` are given besides X and y goes."""
    router = MetadataRouter(owner=search)
    router.add(estimator=estimator, method_mapping=MethodMapping().add(caller="fit", callee="fit"))
    router.add(splitter=search.cv, method_mapping=MethodMapping().add(caller="fit", callee="split"))
    both = MethodMapping().add(caller="fit", callee="score").add(caller="score", callee="score")
    return router.add(method_mapping=both, **{_part(name): scorer for name, scorer in scorers.items()})


def route_fit(search: Any, scorers: Iterable[str], sample_weight: Any, groups: Any, params: Params) -> Routed:
    """Where what `fit` is given besides X and y goes."""
    if not _enabled(params):
        return Routed(sample_weight, {"groups": groups}, None)
    routed = process_routing(search, "fit", **_given(sample_weight=sample_weight, groups=groups, **params))
    of_scorers = {name: routed[_part(name)].score for name in scorers}
    return Routed(routed["estimator"].fit.get("sample_weight"), routed["splitter"].split, of_scorers)


def route_score(search: Any, scorer: str, sample_weight: Any, params: Params) -> Params:
    """What a scorer gets."""
    given = _given(sample_weight=sample_weight, **params)
    return process_routing(search, "score", **given)[_part(scorer)].score if _enabled(params) else given


def _part(scorer: str) -> str:
    """What a scorer is called in the router: as in GridSearchCV where it is the only one."""
    return "scorer" if scorer == THE_SCORE else f"scorer {scorer}"


def _given(**values: Any) -> Params:
    return {name: value for name, value in values.items() if value is not None}


def _enabled(params: Params) -> bool:
    """Whether metadata is routed; refuses what could go nowhere else."""
    enabled = get_config()["enable_metadata_routing"]
    if params and not enabled:
        raise UsageError(
            f"{', '.join(params)}: there is no such argument; for what a scorer or a splitter of yours requests, turn "
            "metadata routing on: sklearn.set_config(enable_metadata_routing=True)"
        )
    return enabled
