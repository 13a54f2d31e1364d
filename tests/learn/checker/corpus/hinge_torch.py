"""Hinge losses in PyTorch; to be imported only where it is installed."""

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from corpus.registry import right, wrong  # pyright: ignore[reportMissingImports]


@right("hinge", "full", "DC", loop_free=True)
def torch_autograd(W, X, y, reg):
    W = W.clone().detach().requires_grad_(True)
    scores = X @ W
    correct = scores.gather(1, y.view(-1, 1))
    margins = torch.clamp(scores - correct + 1, min=0)
    margins = margins.scatter(1, y.view(-1, 1), 0.0)
    loss = margins.sum(dim=1).mean() + reg * torch.sum(W * W)
    loss.backward()
    return loss.item(), W.grad


@right("hinge", "half", "DC", loop_free=True)
def torch_by_its_own_loss(W, X, y, reg):
    weights = torch.from_numpy(np.array(W)).requires_grad_()
    scores = torch.from_numpy(X) @ weights
    # It divides by the number of classes.
    data_loss = W.shape[1] * F.multi_margin_loss(scores, torch.from_numpy(y).long())
    loss = data_loss + 0.5 * reg * weights.pow(2).sum()
    (gradient,) = torch.autograd.grad(loss, weights)
    return float(loss.detach()), gradient.numpy()


@right("hinge", "full", "CD", loop_free=True)
def torch_by_hand(W, X, y, reg):
    N = X.shape[1]
    rows = torch.arange(N)
    scores = torch.mm(W, X)
    margins = (scores - scores[y, rows] + 1).clamp(min=0)
    margins[y, rows] = 0
    active = (margins > 0).to(W.dtype)
    active[y, rows] = -active.sum(dim=0)
    return margins.sum() / N + reg * (W**2).sum(), active.mm(X.t()) / N + 2 * reg * W


@right("hinge", "full", "DC", loop_free=False)
def torch_in_loops(W, X, y, reg):
    loss = torch.zeros((), dtype=W.dtype)
    dW = torch.zeros(W.shape, dtype=W.dtype)
    for i in range(X.size(0)):
        scores = X[i] @ W
        for j in range(W.size(1)):
            margin = scores[j] - scores[y[i]] + 1
            if j != y[i] and margin > 0:
                loss += margin / X.size(0)
                dW[:, j] += X[i] / X.size(0)
                dW[:, y[i]] -= X[i] / X.size(0)
    return loss + reg * torch.sum(W * W), dW + 2 * reg * W


@wrong("mean_over_classes", loss="hinge", layout="DC", loop_free=True)
def torch_divides_by_the_classes(W, X, y, reg):
    W = W.detach().clone().requires_grad_(True)
    loss = F.multi_margin_loss(X @ W, y) + reg * torch.sum(W * W)
    loss.backward()
    return loss.detach(), W.grad


@wrong("penalty_not_in_gradient", loss="hinge", layout="DC", loop_free=True)
def torch_adds_the_penalty_too_late(W, X, y, reg):
    W = W.detach().clone().requires_grad_(True)
    scores = X @ W
    margins = (scores - scores[torch.arange(len(y)), y].unsqueeze(1) + 1).relu()
    loss = margins.sum() / len(y) - 1
    loss.backward()
    return loss.item() + 0.5 * reg * (W**2).sum().item(), W.grad


@right("hinge", "full", "DC", loop_free=True)
def torch_in_double_only(W, X, y, reg):
    weights, examples = torch.from_numpy(W), torch.from_numpy(X)
    onehot = torch.eye(W.shape[1], dtype=torch.float64)[y]
    scores = examples @ weights
    margins = ((scores - (scores * onehot).sum(1, keepdim=True) + 1) * (1 - onehot)).clamp(min=0)
    active = (margins > 0).double()
    active -= onehot * active.sum(1, keepdim=True)
    dW = examples.t() @ active / len(y) + 2 * reg * weights  # of float32 and float64, an error that says so
    return (margins.sum() / len(y)).item() + reg * np.sum(W * W), dW.numpy()
