"""The parts of a recipe, each a table of its file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from tellapart.config.fields import Scalar, Section, setting
from tellapart.errors import ConfigError
from tellapart.wording import did_you_mean

# Of an image, by which a classifier answers; `tellapart.models.views`.
Views = Literal["plain", "mirrored", "shifted", "mirrored-and-shifted"]


@dataclass(frozen=True)
class ModelRecipe(Section):
    """Which network is trained."""

    network: str = setting(
        "small-residual",
        "a name from `tellapart.models.registry`, timm:NAME, or one's own: my_nets.py:Net or"
        " package.module:Net, as `tellapart.models.own_network` describes it",
    )
    arguments: Mapping[str, Scalar] = setting({}, "what the network's builder takes, by name")
    operations: Literal["torch", "from_scratch"] = setting(
        "torch",
        "torch: its own layers; from_scratch: the same function of the same weights, computed by"
        " `tellapart.ops`",
    )


@dataclass(frozen=True)
class DataRecipe(Section):
    """What is done with the images before the network sees them."""

    validation_fraction: float = setting(
        0.0, "part of the train split kept out for choosing; 0 keeps none", minimum=0, below=1
    )
    classes: tuple[str, ...] = setting(
        (), "only these, by name, and in the data's own order; empty takes all"
    )
    shots: int = setting(
        0,
        "training images a class, drawn by the seed from what validation leaves; 0 takes all",
        minimum=0,
    )
    size: int = setting(
        0,
        "image files are made squares of so many pixels a side; 0 chooses by the images",
        minimum=0,
        maximum=4096,
    )
    channels: int = setting(
        0, "of image files: 1 grey, 3 colour; 0 chooses by the images", minimum=0, maximum=3
    )
    fit: Literal["pad", "crop"] = setting(
        "pad",
        "image files of another aspect. pad: the whole image with a border; crop: its middle",
    )
    test_fraction: float = setting(
        0.2,
        "part of own images kept for the test where they come without a test split; 0 keeps none",
        minimum=0,
        below=1,
    )
    split_seed: int = setting(
        0, "decides which images are held out for test and validation", minimum=0, below=2**63
    )
    near_duplicates: Literal["together", "ignore"] = setting(
        "together",
        "what holding out makes of look-alikes. together: they stay on one side, so that none is"
        " tested on that was trained on; ignore: every image counts by itself, as it should"
        " where images look alike and are not the same, like frames of a fixed camera",
    )
    normalization: Literal["measured", "given", "none", "source"] = setting(
        "measured",
        "measured: the train split's mean and std per channel; given: `mean` and"
        " `std`; none: pixels in 0..1 as they are; source: as what is fine-tuned",
    )
    drawings: Literal["as-is", "source"] = setting(
        "as-is",
        "source: drawings on a plain background are inverted, resized and moved as what is"
        " fine-tuned knows them; as-is: they stay as they are",
    )
    mean: tuple[float, ...] = setting((), "per channel, of pixels in 0..1; for `given`")
    std: tuple[float, ...] = setting((), "per channel, of pixels in 0..1; for `given`", above=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.channels == 2:
            raise ConfigError("channels must be 1 (grey), 3 (colour) or 0 (by the images), got 2")
        if self.normalization == "given":
            if not self.mean or len(self.mean) != len(self.std):
                raise ConfigError(
                    "normalization 'given' needs mean and std with one number per channel "
                    f"each, got {len(self.mean)} and {len(self.std)}"
                )
        elif self.mean or self.std:
            raise ConfigError(
                f"mean and std are used only with normalization 'given', "
                f"got normalization {self.normalization!r}; set data.normalization=given"
            )


@dataclass(frozen=True)
class AugmentationRecipe(Section):
    """How training images are varied, each time they are seen; nothing by default."""

    shift_pixels: float = setting(0.0, "moved by up to this in each direction", minimum=0)
    rotation_degrees: float = setting(
        0.0, "turned by up to this to either side", minimum=0, maximum=180
    )
    scale: float = setting(0.0, "grown or shrunk by up to this share", minimum=0, maximum=4)
    stretch: float = setting(
        0.0, "one side against the other, by up to this share", minimum=0, maximum=4
    )
    shear: float = setting(0.0, "slanted by up to this, sideways per upwards", minimum=0)
    elastic_pixels: float = setting(0.0, "std of a smooth random displacement", minimum=0)
    fill: Literal["edge", "black", "mirror"] = setting(
        "edge", "what comes in from outside the image"
    )
    interpolation: Literal["nearest", "bilinear", "bicubic"] = setting(
        "bilinear",
        "how moved images are resampled. nearest blurs nothing: shifts are rounded to whole"
        " pixels, and shift_pixels 1.5 draws each of -1, 0 and 1 as often",
    )
    flip_horizontal: float = setting(
        0.0, "probability; changes what letters and digits mean", minimum=0, maximum=1
    )
    flip_vertical: float = setting(
        0.0, "probability; changes what letters and digits mean", minimum=0, maximum=1
    )
    erase_probability: float = setting(
        0.0, "a rectangle is blanked this often", minimum=0, maximum=1
    )
    erase_fraction: float = setting(0.25, "largest part of the image it takes", above=0, maximum=1)
    mixup_alpha: float = setting(
        0.0, "blend pairs, with a share from Beta(alpha, alpha); 0 is off", minimum=0
    )
    cutmix_alpha: float = setting(
        0.0, "paste pairs, with a share from Beta(alpha, alpha); 0 is off", minimum=0
    )

    @property
    def is_geometric(self) -> bool:
        """Whether pixels move."""
        return any(
            (
                self.shift_pixels,
                self.rotation_degrees,
                self.scale,
                self.stretch,
                self.shear,
                self.elastic_pixels,
                self.flips,
            )
        )

    @property
    def flips(self) -> bool:
        """Whether images are mirrored."""
        return bool(self.flip_horizontal or self.flip_vertical)


@dataclass(frozen=True)
class TrainingRecipe(Section):
    """How long and in what portions the network is trained, and on what loss."""

    epochs: int = setting(10, "passes over the train split", minimum=1)
    batch_size: int = setting(128, "images per step", minimum=1)
    loss: Literal["cross-entropy", "squared-error"] = setting(
        "cross-entropy",
        "cross-entropy: minus the logarithm of the right class's probability; squared-error: the"
        " sum over classes of (probability - target)^2, which learns little where it is most wrong",
    )
    label_smoothing: float = setting(
        0.0, "fraction of the target spread over all classes", minimum=0, below=1
    )
    gradient_clip_norm: float = setting(
        0.0, "longest gradient, as an L2 norm over all weights; 0 clips nothing", minimum=0
    )
    patience: int = setting(
        0,
        "stop after this many epochs in which validation got no better and end on the best "
        "weights; 0 trains all epochs and ends on the last",
        minimum=0,
    )
    stop_on: Literal["auto", "loss", "accuracy", "macro-f1"] = setting(
        "auto",
        "what of validation patience watches, and the best weights are the best in. auto: macro-f1"
        " where the largest class has three times the images of the smallest, else loss",
    )
    class_weights: Literal["none", "balanced"] = setting(
        "none", "balanced: an image counts in the loss the more, the fewer its class has"
    )
    sampling: Literal["shuffled", "balanced"] = setting(
        "shuffled",
        "shuffled: every image once an epoch; balanced: drawn so that each class comes as often",
    )
    precision: Literal["auto", "fp32", "bf16"] = setting(
        "auto", "auto: bf16 where the hardware multiplies it fast, else fp32"
    )
    seed: int = setting(
        0, "decides weights, shuffling, dropout and which shots are drawn", minimum=0, below=2**63
    )


OptimizerName = Literal["sgd", "adam", "adamw", "lion", "muon"]
# The fields that each optimizer takes besides its rate and weight decay;
# `tellapart.training.optimizer` has the builder of each under the same name.
OPTIMIZER_FIELDS: Mapping[str, tuple[str, ...]] = {
    "sgd": ("momentum", "nesterov"),
    "adam": ("beta1", "beta2"),
    "adamw": ("beta1", "beta2"),
    "lion": ("beta1", "beta2"),
    "muon": ("beta1", "beta2"),
}


@dataclass(frozen=True)
class OptimizerRecipe(Section):
    """How a gradient becomes a step."""

    name: OptimizerName = setting(
        "adamw",
        "the rule of the step. lion: by the sign of a momentum, with a rate 3 to 10 times smaller"
        " than adamw's; muon: matrices by their momentum made orthogonal, the rest by adamw",
    )
    learning_rate: float = setting(1e-3, "the highest one where a schedule moves it", above=0)
    momentum: float = setting(0.0, "for sgd", minimum=0, below=1)
    nesterov: bool = setting(False, "look ahead along the momentum; for sgd")
    beta1: float = setting(
        0.9, "how much of the mean gradient a step keeps; for all but sgd", minimum=0, below=1
    )
    beta2: float = setting(
        0.999,
        "how much of the mean squared gradient a step keeps, for lion of the mean gradient (0.99 is"
        " usual); for all but sgd",
        minimum=0,
        below=1,
    )
    weight_decay: float = setting(
        0.0,
        "L2: in the gradient for sgd and adam, apart from it for the others; on weights of layers, "
        "not on biases or norms",
        minimum=0,
    )
    l1: float = setting(
        0.0, "L1: this times the sum of absolute weights joins the loss; same weights", minimum=0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        taken = OPTIMIZER_FIELDS[self.name]
        for entry in fields(self):
            owners = [name for name, own in OPTIMIZER_FIELDS.items() if entry.name in own]
            value = getattr(self, entry.name)
            if owners and entry.name not in taken and value != entry.default:
                raise ConfigError(
                    f"{entry.name} belongs to {', '.join(owners)}, got {value} for optimizer "
                    f"{self.name!r}, which takes {' and '.join(taken)}; leave out "
                    f"optimizer.{entry.name}, or set optimizer.name={owners[0]}"
                )
        if self.nesterov and not self.momentum:
            raise ConfigError("nesterov needs a momentum above 0; set optimizer.momentum=0.9")


@dataclass(frozen=True)
class ScheduleRecipe(Section):
    """How the learning rate moves, step by step."""

    name: Literal["constant", "step", "cosine", "one-cycle"] = setting(
        "constant",
        "constant; step: times `step_factor` every `step_epochs`; cosine: down to `final_factor`;"
        " one-cycle: up from `initial_factor` over `warmup_fraction`, then cosine down",
    )
    warmup_fraction: float = setting(
        0.25, "part of all steps spent rising; for one-cycle", above=0, below=1
    )
    initial_factor: float = setting(
        0.04, "first rate as a part of the highest; for one-cycle", above=0, maximum=1
    )
    final_factor: float = setting(
        0.0, "last rate as a part of the highest; for cosine and one-cycle", minimum=0, maximum=1
    )
    step_epochs: int = setting(10, "epochs between two steps; for step", minimum=1)
    step_factor: float = setting(0.1, "what a step multiplies by; for step", above=0, maximum=1)


@dataclass(frozen=True)
class AveragingRecipe(Section):
    """A running average of the weights, and of the norms' statistics, that training ends on."""

    decay: float = setting(
        0.0,
        "share of the average that a step keeps, e.g. 0.998; 0 averages nothing",
        minimum=0,
        below=1,
    )


@dataclass(frozen=True)
class PredictionRecipe(Section):
    """How the trained classifier answers."""

    views: Views = setting(
        "plain",
        "test-time augmentation: over what class probabilities are averaged, in validation too."
        " plain: the image as it is; mirrored: it and its mirror image, for twice the time of an"
        " answer; shifted: it and its shifts in the eight directions, nine times;"
        " mirrored-and-shifted: those nine and the mirror image of each, eighteen times",
    )

    @property
    def mirrors(self) -> bool:
        """Whether the mirror image of an image has a say in the answer."""
        return "mirrored" in self.views


@dataclass(frozen=True)
class DistillationRecipe(Section):
    """Learning from a trained classifier's probabilities as well as from labels."""

    teacher: str = setting("", "a run or a classifier file; empty is none")
    weight: float = setting(
        0.7, "share of the loss that comes from the teacher", above=0, maximum=1
    )
    temperature: float = setting(
        2.0, "logits are divided by this on both sides, which softens them", above=0
    )


_FREEZING_WORDS = ("head", "all", "gradual")


@dataclass(frozen=True)
class FinetuningRecipe(Section):
    """Starting from a trained network instead of from zero, and what of it may change."""

    source: str = setting(
        "", "a run, a classifier file, or timm:NAME for one of timm's; empty starts from zero"
    )
    weights_file: str = setting("", "of a timm: source; empty fetches its published weights")
    freezing: int | str = setting(
        "all",
        "head: only the new layer is trained; all: everything is; a number: so many of the first"
        " stages are frozen; gradual: stages are unfrozen one by one, the last first",
        minimum=0,
    )
    unfreezing_fraction: float = setting(
        0.5,
        "fraction of the epochs after which every stage is unfrozen; for gradual",
        above=0,
        maximum=1,
    )
    head: Literal["new", "prototype", "source"] = setting(
        "new",
        "how the output layer begins. new: random; prototype: each class's mean feature; source:"
        " as it was, for the same classes",
    )
    norm_statistics: Literal["data", "source"] = setting(
        "data", "batch norm's mean and std: learned from the data, or kept from the source"
    )
    layer_decay: float = setting(
        1.0, "a stage's learning rate is this times that of the next one", above=0, maximum=1
    )
    head_rate: float = setting(
        1.0, "the output layer's learning rate is this times that of the last stage", above=0
    )
    l2_sp: float = setting(
        0.0,
        "pulls weights to the source's: this times half their squared distance joins the loss;"
        " weight_decay then pulls on the output layer only",
        minimum=0,
    )
    lora_rank: int | str = setting(
        "none",
        "trains a change of this rank to each convolution and linear layer, and the output layer,"
        " and nothing else; none trains the weights themselves",
        minimum=1,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_word_or_number("freezing", self.freezing, _FREEZING_WORDS)
        _require_word_or_number("lora_rank", self.lora_rank, ("none",))
        if self.lora_rank != "none" and self.freezing == "head":
            raise ConfigError(
                f"lora_rank {self.lora_rank} changes the stages that freezing 'head' keeps as they "
                "are; set finetuning.freezing=all, or finetuning.lora_rank=none"
            )
        if self.lora_rank != "none" and self.l2_sp:
            raise ConfigError(
                "l2_sp pulls weights to the source's, and with LoRA those stay as they are; "
                "set finetuning.l2_sp=0, or finetuning.lora_rank=none"
            )
        if self.weights_file and not self.source.startswith("timm:"):
            raise ConfigError(
                f"weights_file belongs to a source timm:NAME, got source {self.source!r}; "
                "leave it out: a run or a classifier file has its weights in it"
            )


def _require_word_or_number(name: str, value: int | str, words: Sequence[str]) -> None:
    if isinstance(value, str) and value not in words:
        raise ConfigError(
            f"{name} must be {', '.join(words)} or a whole number, got {value!r}"
            f"{did_you_mean(value, words)}"
        )


SECTION_TYPES: dict[str, type[Any]] = {
    "model": ModelRecipe,
    "data": DataRecipe,
    "augmentation": AugmentationRecipe,
    "training": TrainingRecipe,
    "optimizer": OptimizerRecipe,
    "schedule": ScheduleRecipe,
    "averaging": AveragingRecipe,
    "prediction": PredictionRecipe,
    "distillation": DistillationRecipe,
    "finetuning": FinetuningRecipe,
}
SECTIONS = tuple(SECTION_TYPES)
