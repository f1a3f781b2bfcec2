"""The operations of an image classifier from first principles: tensor arithmetic only.

Nothing here uses ``torch.nn``. Every operation states its formula. Its backward pass is written
out with its derivation and not left to autograd, so it can be differentiated once; torch refuses a
second derivative. Reading order: ``windows``, ``convolution_forms``,
``convolution``, ``matrix_product``, ``depthwise``, ``fourier``, ``transposed_convolution``,
``pooling``, ``activation``, ``linear``, ``loss``, ``normalization``, ``dropout``.
"""

from tellapart.ops.activation import leaky_relu, log_softmax, relu, relu6, sigmoid, softmax, tanh
from tellapart.ops.convolution import conv2d
from tellapart.ops.dropout import channel_dropout, dropout
from tellapart.ops.linear import linear
from tellapart.ops.loss import cross_entropy, squared_error
from tellapart.ops.normalization import batch_norm, layer_norm
from tellapart.ops.pooling import avg_pool2d, global_avg_pool2d, max_pool2d
from tellapart.ops.transposed_convolution import conv_transpose2d
from tellapart.ops.windows import Window, add_windows, sliding_windows

__all__ = [
    "Window",
    "add_windows",
    "avg_pool2d",
    "batch_norm",
    "channel_dropout",
    "conv2d",
    "conv_transpose2d",
    "cross_entropy",
    "dropout",
    "global_avg_pool2d",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "max_pool2d",
    "relu",
    "relu6",
    "sigmoid",
    "sliding_windows",
    "softmax",
    "squared_error",
    "tanh",
]
