"""l0-python: the module `HardConcrete`, in training with the given noise, and in evaluation."""

from unittest import mock

import torch
from l0 import HardConcrete


def gates(log_alpha, beta=2 / 3, gamma=-0.1, zeta=1.1):
    if abs(zeta - 1 + gamma) > 1e-12:
        raise NotImplementedError("stretches by the same at both ends")
    gates = HardConcrete(1, temperature=beta, stretch=-gamma).double()
    gates.qz_logits.data = log_alpha.double().clone()
    return gates


def gate(log_alpha, u, beta=2 / 3, gamma=-0.1, zeta=1.1):
    with mock.patch.object(torch.Tensor, "uniform_", lambda zeros, low, high: zeros + u):
        return gates(log_alpha, beta, gamma, zeta).train()()


def gate_at_test(log_alpha, gamma=-0.1, zeta=1.1):
    return gates(log_alpha, gamma=gamma, zeta=zeta).eval()()


def prob_open(log_alpha, beta=2 / 3, gamma=-0.1, zeta=1.1):
    return gates(log_alpha, beta, gamma, zeta).get_active_prob()
