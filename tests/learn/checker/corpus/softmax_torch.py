"""Softmax losses in PyTorch; to be imported only where it is installed."""

import torch
import torch.nn.functional as F  # noqa: N812
from corpus.registry import right, wrong  # pyright: ignore[reportMissingImports]


@right("softmax", "full", "DC", loop_free=True)
def by_autograd(W, X, y, reg):
    W = torch.as_tensor(W).detach().clone().requires_grad_(True)
    loss = F.cross_entropy(torch.as_tensor(X) @ W, torch.as_tensor(y).long()) + reg * (W * W).sum()
    loss.backward()
    return loss.item(), W.grad


@right("softmax", "half", "DC", loop_free=True)
def by_methods_of_tensors(W, X, y, reg):
    scores = X.mm(W)
    logp = scores - scores.logsumexp(dim=1, keepdim=True)
    loss = -logp.gather(1, y.view(-1, 1)).mean() + 0.5 * reg * W.square().sum()
    G = logp.exp()
    G[torch.arange(len(y)), y] -= 1
    return loss, X.t().mm(G) / X.size(0) + reg * W


@right("softmax", "full", "DC", loop_free=True)
def backwards_from_the_given_weights(W, X, y, reg):
    W.requires_grad_(True)
    loss = F.nll_loss(F.log_softmax(X @ W, dim=1), y) + reg * torch.sum(W**2)
    loss.backward()
    return loss, W.grad


@right("softmax", "full", "DC", loop_free=False)
def by_loops_over_tensors(W, X, y, reg):
    loss = 0.0
    dW = torch.zeros_like(W)
    for i in range(X.shape[0]):
        scores = W.t().mv(X[i])
        scores -= scores.max()
        p = scores.exp() / scores.exp().sum()
        loss -= torch.log(p[y[i]])
        p[y[i]] -= 1
        dW += torch.outer(X[i], p)
    return loss / X.shape[0] + reg * torch.sum(W * W), dW / X.shape[0] + 2 * reg * W


@wrong("softmax_twice", loss="softmax")
def cross_entropy_of_probabilities(W, X, y, reg):
    W = torch.as_tensor(W).detach().clone().requires_grad_(True)
    p = F.softmax(torch.as_tensor(X) @ W, dim=1)
    loss = F.cross_entropy(p, torch.as_tensor(y).long()) + 0.5 * reg * (W * W).sum()
    loss.backward()
    return loss.item(), W.grad


@wrong("penalty_gradient_half", loss="softmax")
def half_in_torch(W, X, y, reg):
    N = X.shape[0]
    scores = X.mm(W)
    scores -= scores.max(dim=1, keepdim=True).values
    p = scores.exp() / scores.exp().sum(dim=1, keepdim=True)
    loss = -p[torch.arange(N), y].log().mean() + reg * torch.sum(W * W)
    p[torch.arange(N), y] -= 1
    return loss, X.t().mm(p) / N + reg * W


@wrong("overflow", loss="softmax", verdict="right_unstable", convention="full", layout="DC")
def no_shift_in_torch(W, X, y, reg):
    N = X.shape[0]
    e = torch.exp(X @ W)
    p = e / e.sum(dim=1, keepdim=True)
    loss = -torch.log(p[torch.arange(N), y]).sum() / N + reg * (W**2).sum()
    p[torch.arange(N), y] -= 1
    return loss, X.T @ p / N + 2 * reg * W


@wrong("not_repeatable", loss="softmax")
def gradients_pile_up(W, X, y, reg, kept={}):  # noqa: B006
    key = (W.shape, W.dtype)
    if key not in kept:
        kept[key] = torch.as_tensor(W).detach().clone().requires_grad_(True)
    V = kept[key]
    V.data = torch.as_tensor(W).detach().clone()
    loss = F.cross_entropy(torch.as_tensor(X) @ V, torch.as_tensor(y).long()) + reg * (V * V).sum()
    loss.backward()
    return loss.item(), V.grad.clone()
