"""placeholder"""
import numpy as np
from recvae.jit import inlined
def pack(weights):
    outputs, inputs = weights.shape
    return np.ascontiguousarray(weights.T.reshape(inputs // 2, 2, outputs).transpose(0, 2, 1))
@inlined
def add_products(packed, inputs, sums):
    for o in range(packed.shape[1]):
        total = np.int32(0)
        for i in range(packed.shape[0]):
            total = np.int32(total + packed[i, o, 0] * np.int32(inputs[2 * i]) + packed[i, o, 1] * np.int32(inputs[2 * i + 1]))
        sums[o] = np.int32(sums[o] + total)
