"""Says the same of every image."""

import numpy as np


class Same:
    def predict(self, images):
        return np.full((len(images), 10), 0.1)


def load_model(folder):
    return Same()
