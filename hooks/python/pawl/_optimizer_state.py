"""What an optimiser keeps between its steps."""

import torch


def tensors_of_state(optimizer, named):
    """(name, tensor) of each tensor that `optimizer` keeps for one of the `named` parameters: `fc1.weight.exp_avg`.
    `step`, a count that most of them keep, is none."""
    for name, parameter in named:
        state = optimizer.state.get(parameter)
        if isinstance(state, dict):
            for key, value in state.items():
                if isinstance(value, torch.Tensor) and key != "step":
                    yield "%s.%s" % (name, key), value
