"""Interactive pages: an operation step by step, and a network with its feature maps.

::

    texts          all texts, in English and in Chinese
    arrays         tensors as JSON, from which a browser recovers the same numbers
    kernels        named kernels, and kernels written as numbers
    scenes         what a page plays: convolution, pooling, activation, by `tellapart.ops`
    learned        the same for the convolutions of a trained network
    player         the page that plays scenes; player.js draws a step, moving.js steps on
    layers         the layers of a network with shapes, parameters and multiply-adds
    diagram        the layers as boxes in a row
    network        the page of a network; network.js draws its feature maps

Python computes every number; the scripts only show them. Both pages use shared.js and style.css.
"""

from tellapart.illustration.layers import Layer, trace_network
from tellapart.illustration.network import render_network
from tellapart.illustration.player import render_player

__all__ = ["Layer", "render_network", "render_player", "trace_network"]
