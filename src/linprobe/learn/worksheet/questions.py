"""The worksheet's two inline questions, answered with evidence from the run's own data."""

import math

import numpy as np
from scipy.special import log_softmax

from linprobe.core.losses import hinge, softmax
from linprobe.data.dataset import Examples
from linprobe.model import Model
from linprobe.results import FirstLossAnswer, SvmUnchanged
from linprobe.results.steps import number

__all__ = ["answer_first_loss", "answer_svm_unchanged"]

NEAR = 0.05  # of log K
VISIBLE = 700  # a margin beyond which the softmax loss is 0 in float64


def answer_first_loss(W: np.ndarray, X: np.ndarray, y: np.ndarray) -> FirstLossAnswer:
    """Why should the first loss be near log K? W (D, K) as drawn, X (n, D), y (n,), float64."""
    classes = W.shape[1]
    scores = X @ W
    logarithms = log_softmax(scores, axis=1)
    probabilities, of_truth = np.exp(logarithms), np.exp(logarithms[np.arange(len(y)), y])
    loss = float(-logarithms[np.arange(len(y)), y].mean())
    spread = [float(np.quantile(probabilities, share)) for share in (0.05, 0.95)]
    return FirstLossAnswer(
        mean_probability_per_class=tuple(probabilities.mean(axis=0).tolist()),
        probability_5_to_95_percent=(spread[0], spread[1]),
        mean_probability_of_true_class=float(of_truth.mean()),
        loss=loss,
        answer=f"Weights this small leave every class a probability near 1/{classes} = {1 / classes:.3f}: nine in "
        f"ten lie from {spread[0]:.3f} to {spread[1]:.3f}, the true class gets {of_truth.mean():.3f} on average, and "
        f"-log of it is near log {classes} = {math.log(classes):.4f}."
        if abs(loss - math.log(classes)) <= NEAR * math.log(classes)
        else f"Here it is not: it is {loss:.4f}, and log {classes} = {math.log(classes):.4f}. Features this large make "
        f"even these weights' scores differ; where all scores are alike, every class has the probability "
        f"1/{classes} = {1 / classes:.3f}, and -log of it is log {classes}.",
    )


def answer_svm_unchanged(classifier: Model, examples: Examples) -> SvmUnchanged:
    """Can adding an example leave the SVM loss unchanged, but never the softmax loss? With a real image as the witness.

    Takes the image that the classifier gets right by the widest margin; where even that is under the hinge's margin of
    one, or so wide that nobody can see the softmax loss, the weights are scaled to a margin of two (the same
    classifier: the order of the scores does not change).
    """
    scores = classifier.decision_function(examples.X).astype(np.float64)
    rows = np.arange(len(scores))
    true = scores[rows, examples.y].copy()
    others = scores.copy()
    others[rows, examples.y] = -np.inf
    margins = true - others.max(axis=1)
    witness = int(np.argmax(margins))
    margin = float(margins[witness])
    if margin <= 0:
        return SvmUnchanged(
            holds=True,
            found=False,
            answer="True: an image whose true score leads by one adds 0 to the sum of hinge losses, but always adds "
            "-log p > 0 to softmax's; this classifier gives no dev image's true class a lead, so none can be shown.",
        )
    factor = 1.0 if 1 <= margin <= VISIBLE else 2.0 / margin
    scaled = (scores[witness] * factor)[None, :, None]
    label = examples.y[witness : witness + 1]
    hinge_loss = float(hinge(scaled.copy(), label)[0][0, 0])
    softmax_loss = float(softmax(scaled.copy(), label)[0][0, 0])
    return SvmUnchanged(
        holds=hinge_loss == 0 and softmax_loss > 0,
        found=True,
        dev_row=witness,
        class_=classifier.classes[int(label[0])],
        weights_scaled_by=factor,
        hinge_loss=hinge_loss,
        softmax_loss=softmax_loss,
        answer=f"True. Image {witness} of dev ({classifier.classes[int(label[0])]}"
        + (f", weights times {number(factor)}" if factor != 1 else "")
        + f") has the hinge loss {hinge_loss:g}: its true score leads every other by at least 1, so it adds nothing "
        f"to the SVM's sum. Its softmax loss is {number(softmax_loss)}, because no probability reaches 1.",
    )
