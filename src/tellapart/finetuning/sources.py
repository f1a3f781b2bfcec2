"""Which trained networks there are to start from, and what speaks for and against each."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class SourceFacts:
    """What a person needs to know of a source before choosing it.

    Args:
        source: what to type as SOURCE.
        trained_on: the images that it has learned from, in two words.
        relevance: the images of a person for which that helps.
        num_parameters: of the network as it is published; None where that depends on the run.
        megabytes: to fetch, 10^6 bytes; None where nothing is fetched.
        side: height and width, in pixels, of the images that it was trained on.
        multiply_adds: of one image of that side.
        licence: of the weights, by its SPDX identifier.
        is_of_imagenet: whether all its training images are of ImageNet-1k.
        extra: the extra of this package that it needs; None needs none.
        needs_network: whether the first use downloads its weights.
    """

    source: str
    trained_on: str
    relevance: str
    num_parameters: int | None = None
    megabytes: int | None = None
    side: int | None = None
    multiply_adds: int | None = None
    licence: str | None = None
    is_of_imagenet: bool = False
    extra: str | None = None
    needs_network: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the entry of ``finetune --sources --json``."""
        return asdict(self)


_IMAGENET = "ImageNet-1k"
_APACHE = "Apache-2.0"

# Parameters, side and multiply-adds of timm's networks: built and counted with timm 1.0.31, the
# products of attention included. Their licences: the model cards at huggingface.co/timm.
SOURCES = (
    SourceFacts(
        "RUN",
        "your images",
        "images of the same kind as those of the run, which may be a small one",
    ),
    SourceFacts(
        "imagenet",
        _IMAGENET,
        "photographs of things, materials and surfaces, in colour or grey",
        num_parameters=4_652_008,
        megabytes=17,
        side=224,
        multiply_adds=385_187_552,
        licence=_APACHE,
        is_of_imagenet=True,
        extra="pretrained",
    ),
    SourceFacts(
        "timm:mobilenetv3_small_100.lamb_in1k",
        _IMAGENET,
        "the same photographs, where the classifier has to be quick",
        num_parameters=2_542_856,
        megabytes=10,
        side=224,
        multiply_adds=56_510_400,
        licence=_APACHE,
        is_of_imagenet=True,
        extra="timm",
        needs_network=True,
    ),
    SourceFacts(
        "timm:convnext_atto.d2_in1k",
        _IMAGENET,
        "the same photographs, by a newer kind of network of about the same cost",
        num_parameters=3_695_520,
        megabytes=15,
        side=224,
        multiply_adds=547_332_480,
        licence=_APACHE,
        is_of_imagenet=True,
        extra="timm",
        needs_network=True,
    ),
    SourceFacts(
        "timm:resnet18.a1_in1k",
        _IMAGENET,
        "the same photographs, by the network that tutorials on the subject use",
        num_parameters=11_689_512,
        megabytes=47,
        side=224,
        multiply_adds=1_814_073_344,
        licence=_APACHE,
        is_of_imagenet=True,
        extra="timm",
        needs_network=True,
    ),
    SourceFacts(
        "timm:vit_small_patch14_dinov2.lvd142m",
        "LVD-142M",
        "what is unlike the things in ImageNet: it learned from many more images, and no labels",
        num_parameters=22_056_192,
        megabytes=88,
        side=518,
        multiply_adds=46_696_739_328,
        licence=_APACHE,
        extra="timm",
        needs_network=True,
    ),
)
"""From the source that is closest to a person's images to the widest; those alike, by size."""
