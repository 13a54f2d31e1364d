import torch
import torch.nn.functional as F


def softmax_loss_naive(W, X, y, reg):
    loss = 0.0
    dW = torch.zeros_like(W)
    for i in range(X.shape[0]):
        scores = X[i] @ W
        log_p = scores - torch.logsumexp(scores, dim=0)
        loss -= log_p[y[i]].item()
        p = torch.exp(log_p)
        p[y[i]] -= 1
        dW += torch.outer(X[i], p)
    loss = loss / X.shape[0] + reg * torch.sum(W * W).item()
    dW = dW / X.shape[0] + 2 * reg * W
    return loss, dW


def softmax_loss_vectorized(W, X, y, reg):
    W = W.detach().clone()
    W.requires_grad = True
    loss = F.cross_entropy(X.mm(W), y) + reg * W.pow(2).sum()
    loss.backward()
    return loss, W.grad
