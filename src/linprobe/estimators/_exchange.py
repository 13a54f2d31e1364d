"""What estimators leave in files: a model of linprobe's, or what another library reads."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sklearn.utils.metaestimators import available_if

if TYPE_CHECKING:
    from linprobe.model.export import Exported

__all__ = ["Kept", "refitted"]


def refitted(name: str) -> Any:
    """Check that the (future) best estimator of a search has this method; other estimators always do."""

    def check(estimator: Any) -> bool:
        if not getattr(estimator, "refit", True):
            raise AttributeError(f"{name} needs the best estimator, trained on all of X; set refit=True")
        best = getattr(estimator, "best_estimator_", getattr(estimator, "estimator", None))
        if best is not None:  # else a SoftmaxClassifier, which has them all
            getattr(best, name)
        return True

    return available_if(check)


class Kept:
    """The files of a classifier that is fitted, and of a search that has refitted one."""

    @refitted("save")
    def save(self, path: str | Path) -> None:
        """Write what was trained as a model file, for `linprobe.load`, `linprobe evaluate` and `linprobe predict`.

        That of a search says by how many folds it was chosen. Raises IncompatibleError before `fit`, OutputError where
        the file cannot be written.
        """
        from linprobe.model import Model

        Model.from_estimator(self).save(path)

    @refitted("export")
    def export(self, path: str | Path, to: Literal["onnx", "torch", "sklearn"] | None = None) -> "Exported":
        """Write what was trained for another library, as `Model.export`: .onnx, .pt (torch) or .skops (sklearn).

        Raises IncompatibleError before `fit`, and for what the form cannot hold.
        """
        from linprobe.model import Model

        return Model.from_estimator(self).export(path, to)
