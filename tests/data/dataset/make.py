#!/usr/bin/env python3
"""Writes the archives of this folder (NumPy's own .npz, which test_dataset.c reads)."""
import os

import numpy as np

os.chdir(os.path.dirname(os.path.abspath(__file__)))
x = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)
np.savez_compressed("deflated.npz", train_data=x[:3], train_labels=np.array([2, 0, 1]),
                    test_data=x[3:], test_labels=np.array([1, 1]))
np.savez("stored.npz", images=(x / 255).astype(np.float32)[..., None], labels=np.arange(5, dtype=np.int8))
np.save("fortran.npy", np.asfortranarray(x))
