"""The commands of ``tellapart show``: animated pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from tellapart.cli.json_output import print_json
from tellapart.cli.options import Json, OwnNetwork

show_app = App(name="show", help="Write animated pages of one operation, or of a trained network.")

Image = Annotated[
    Path | None,
    Parameter(help="The image file to use, scaled down if it is larger."),
]
Digit = Annotated[
    int | None, Parameter(help="Use a bundled handwritten digit, 0 to 9, instead of an image file.")
]
Out = Annotated[
    Path | None,
    Parameter(
        help="The page to write, a new .html file; by default NAME.html in the current folder."
    ),
]
KERNEL_HELP = (
    "vertical-edges, horizontal-edges, edges, blur, sharpen, learned or tutorial; numbers row by "
    "row, as '1,0,-1; 2,0,-2; 1,0,-1'; or RUN:LAYER for the kernels that a network has learned "
    "(RUN:LAYER:3 opens kernel 3)."
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
    """Animate a kernel that slides over an image, with every product and sum written out.

    Parameters
    ----------
    stride
        Pixels between positions; by default 1, or the layer's own.
    padding
        Zeros around the image, in pixels; by default 0, or the layer's own.
    dilation
        Pixels between the kernel's weights; by default 1, or the layer's own.
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
    return _print_page(page, json)


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
    """Animate a pooling window that moves over an image, with the number that it keeps.

    Parameters
    ----------
    kind
        max, average, tutorial-max or tutorial-average; by default max.
    size
        Side of the window in pixels; by default 2.
    stride
        Pixels between positions; by default the size.
    padding
        Border in pixels, at most half of the window; by default 0.
    dilation
        Pixels between the pixels of the window, for max pooling; by default 1.
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
    return _print_page(page, json)


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
    """Animate an activation function that is applied to a feature map, number by number.

    Parameters
    ----------
    function
        relu, leaky-relu, sigmoid or tanh; by default relu.
    """
    from tellapart.workflow.show import show_activation

    page = show_activation(image=image, digit=digit, function=function, kernel=kernel, out=out)
    return _print_page(page, json)


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
    """Show a network as a diagram: layers, shapes, costs, and the feature maps of an image.

    Parameters
    ----------
    run
        The folder that `tellapart train` printed, or a classifier file.
    text
        Print the layers as a table instead of writing a page.
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


def _print_page(page: Path, json: bool) -> int:
    if json:
        print_json({"page": str(page)})
    else:
        print(page)
    return 0
