"""The commands of ``tellapart show``: pages that move."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from tellapart.cli.json_output import print_json
from tellapart.cli.options import Json, OwnNetwork

show_app = App(name="show", help="Pages that move: an operation at work, a network from inside.")

Image = Annotated[
    Path | None,
    Parameter(help="An image file; resized to fit where it is larger."),
]
Digit = Annotated[
    int | None, Parameter(help="A handwritten digit that comes with tellapart, 0 to 9.")
]
Out = Annotated[
    Path | None,
    Parameter(help="The page to write, new; NAME.html in this folder, if left out."),
]
KERNEL_HELP = (
    "vertical-edges, horizontal-edges, edges, blur, sharpen, learned or tutorial; numbers row by "
    "row, as '1,0,-1; 2,0,-2; 1,0,-1'; or RUN:LAYER for what a network has learned "
    "(RUN:LAYER:3 opens its kernel 3)."
)
KernelName = Annotated[str, Parameter(help=KERNEL_HELP)]


@show_app.command
def convolution(
    *,
    image: Image = None,
    digit: Digit = None,
    kernel: KernelName = "vertical-edges",
    stride: int | None = None,
    padding: int | None = None,
    dilation: int | None = None,
    out: Out = None,
    json: Json = False,
) -> int:
    """A kernel slides over an image: every product and every sum written out.

    Parameters
    ----------
    stride
        Pixels from place to place; 1, or the layer's own, if left out.
    padding
        Pixels of zeros around the image; 0, or the layer's own, if left out.
    dilation
        Pixels between the kernel's taps; 1, or the layer's own, if left out.
    """
    from tellapart.workflow.show import show_convolution

    page = show_convolution(
        image=image,
        digit=digit,
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        out=out,
    )
    return _say(page, json)


@show_app.command
def pooling(
    *,
    image: Image = None,
    digit: Digit = None,
    kind: str = "max",
    size: int = 2,
    stride: int | None = None,
    padding: int = 0,
    dilation: int = 1,
    out: Out = None,
    json: Json = False,
) -> int:
    """A pooling window moves over an image: what it sees, and the one number it keeps.

    Parameters
    ----------
    kind
        max, average, tutorial-max or tutorial-average.
    size
        Pixels of the window; 2, if left out.
    stride
        Pixels from place to place; the size, if left out.
    padding
        Pixels of border, at most half of the window.
    dilation
        Pixels between the pixels of the window, for max.
    """
    from tellapart.workflow.show import show_pooling

    page = show_pooling(
        image=image,
        digit=digit,
        kind=kind,
        size=size,
        stride=stride,
        padding=padding,
        dilation=dilation,
        out=out,
    )
    return _say(page, json)


@show_app.command
def activation(
    *,
    image: Image = None,
    digit: Digit = None,
    function: str = "relu",
    kernel: KernelName = "vertical-edges",
    out: Out = None,
    json: Json = False,
) -> int:
    """A feature map goes through an activation, number by number along its curve.

    Parameters
    ----------
    function
        relu, leaky-relu, sigmoid or tanh.
    """
    from tellapart.workflow.show import show_activation

    page = show_activation(image=image, digit=digit, function=function, kernel=kernel, out=out)
    return _say(page, json)


@show_app.command
def network(
    run: Path,
    /,
    *,
    image: Image = None,
    digit: Digit = None,
    text: bool = False,
    own_network: OwnNetwork = None,
    out: Out = None,
    json: Json = False,
) -> int:
    """A network as a diagram: layers, shapes, costs, and an image's feature maps on the way.

    Parameters
    ----------
    run
        The folder that `tellapart train` printed, or a classifier file.
    text
        Print the layers as a table, and write no page.
    """
    from tellapart.cli.tables import print_network
    from tellapart.runs.session import Session
    from tellapart.workflow.show import show_network

    session = Session(network=own_network)
    shown = show_network(
        run, image=image, digit=digit, write_page=not text, out=out, session=session
    )
    if json:
        print_json(shown.to_json())
    elif text:
        print_network(shown)
    else:
        print(shown.page)
    return 0


def _say(page: Path, json: bool) -> int:
    if json:
        print_json({"page": str(page)})
    else:
        print(page)
    return 0
