"""The digit network and its training, as the notebook uses them."""

import numpy as np
import torch
from safetensors.numpy import load_file
from torch import nn


class Network(nn.Module):
    """784 prepared pixels, 64 hidden units, ten scores."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(784, 64)
        self.output = nn.Linear(64, 10)

    def forward(self, values):
        return self.output(torch.relu(self.hidden(values)))


def prepared(images):
    """Images uint8 [N, 28, 28] as the values that the network expects, [N, 784]."""
    return (torch.from_numpy(images).float().flatten(1) / 255 - 0.15) / 0.30


def trained(file, seed, epochs):
    """The network after so many epochs, and the share of held-out digits that it reads rightly."""
    torch.manual_seed(seed)
    digits = load_file(file)
    values, labels = prepared(digits["images"]), torch.from_numpy(digits["labels"].astype(np.int64))
    train = torch.from_numpy(np.flatnonzero(digits["split"] == 0))
    held_out = torch.from_numpy(digits["split"] == 1)
    network = Network()
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(epochs):
        for batch in train[torch.randperm(len(train))].split(64):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(values[batch]), labels[batch]).backward()
            optimiser.step()
    with torch.no_grad():
        right = network(values[held_out]).argmax(dim=1) == labels[held_out]
    return network.eval(), float(right.float().mean())
