"""Pages that move: an operation at work step by step, and a network with a picture on its way.

::

    texts          every sentence in English and in Chinese
    arrays         tensors as JSON that a browser turns back into the same numbers
    kernels        kernels that have a name, and kernels written as numbers
    scenes         what a page plays: convolution, pooling, activation, computed by `tellapart.ops`
    learned        the same for the convolutions of a trained network
    player         the page that plays scenes; player.js shows a step, moving.js goes on
    layers         the layers of a network with shapes, parameters and multiply-adds
    diagram        the layers as boxes in a row
    network        the page of a network; network.js draws its feature maps

Python computes every number; the scripts only show them. shared.js and style.css serve both pages.
"""

from tellapart.illustration.layers import Layer, trace_network
from tellapart.illustration.network import render_network
from tellapart.illustration.player import render_player

__all__ = ["Layer", "render_network", "render_player", "trace_network"]
