"""The sections of a recipe, each a table of its TOML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from tellapart.config.fields import Scalar, Section, compiled, setting
from tellapart.errors import ConfigError
from tellapart.wording import did_you_mean

# The views of an image that a classifier averages over; see `tellapart.models.views`.
Views = Literal["plain", "mirrored", "shifted", "mirrored-and-shifted"]


@dataclass(frozen=True)
class ModelRecipe(Section):
    """The network to train."""

    network: str = setting(
        "small-residual",
        "a name from `tellapart.models.registry`, timm:NAME, or your own network: my_nets.py:Net or"
        " package.module:Net, see `tellapart.models.own_network`",
    )
    arguments: Mapping[str, Scalar] = setting({}, "arguments of the network's builder, by name")
    operations: Literal["torch", "from_scratch"] = setting(
        "torch",
        "torch: torch's layers; from_scratch: the same function of the same weights, computed by"
        " `tellapart.ops`",
    )


@dataclass(frozen=True)
class DataRecipe(Section):
    """Which images are used, and how they are prepared for the network."""

    validation_fraction: float = setting(
        0.0,
        "fraction of the train split held out for validation; 0 holds out none",
        minimum=0,
        below=1,
    )
    calibration_fraction: float = setting(
        0.02,
        "without a validation split, fraction of the train split held out for calibration, at least"
        " 200 and at most 2,000 images; none where 200 are more than this and than a tenth. 0 holds"
        " out none",
        minimum=0,
        below=1,
    )
    classes: tuple[str, ...] = setting(
        (), "names of the classes to use, in the order of the data set; empty uses all"
    )
    shots: int = setting(
        0,
        "training images per class, drawn by the seed after validation is held out; 0 uses all",
        minimum=0,
    )
    size: int = setting(
        0,
        "image files are resized to squares with this side in pixels; 0 chooses by the images",
        minimum=0,
        maximum=4096,
    )
    channels: int = setting(
        0,
        "channels of image files: 1 grey, 3 colour; 0 chooses by the images",
        minimum=0,
        maximum=3,
    )
    fit: Literal["pad", "crop", "squash"] = setting(
        "pad",
        "image files of another aspect ratio. pad: the whole image with a border; crop: its middle;"
        " squash: the whole image, with its sides shortened unequally",
    )
    test_fraction: float = setting(
        0.2,
        "fraction held out for test if the data has no test split; 0 holds out none",
        minimum=0,
        below=1,
    )
    split_seed: int = setting(
        0,
        "decides which images are held out for test, validation and calibration",
        minimum=0,
        below=2**63,
    )
    near_duplicates: Literal["together", "ignore"] = setting(
        "together",
        "how near duplicates are held out. together: all in one split, so that no test image has a"
        " near duplicate in train; ignore: each image on its own, for different images that look"
        " alike, such as frames of a fixed camera",
    )
    group_by: str = setting(
        "",
        "a regular expression that is searched in the path of an image file, from the data's folder"
        " on; its first group in parentheses, or else all that it matches, names the patient, cell"
        " or video whose images stay in one split, e.g. patient(\\d+)_; empty: none, or a table's",
    )
    corrections: str = setting(
        "",
        "a file of corrected labels, as `tellapart data check DATA --labels` writes it: split,"
        " index or path, given, suggested; empty: labels are as they were given",
    )
    normalization: Literal["measured", "given", "none", "source"] = setting(
        "measured",
        "measured: mean and std of the train split per channel; given: `mean` and `std`; none:"
        " pixels in 0..1; source: the normalisation of the fine-tuned classifier",
    )
    drawings: Literal["as-is", "source"] = setting(
        "as-is",
        "source: drawings on a plain background are inverted, resized and moved to match those that"
        " the source was trained on; as-is: they are not changed",
    )
    mean: tuple[float, ...] = setting(
        (), "per channel, of pixels in 0..1; for normalization `given`"
    )
    std: tuple[float, ...] = setting(
        (), "per channel, of pixels in 0..1; for normalization `given`", above=0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.channels == 2:
            raise ConfigError("channels must be 1 (grey), 3 (colour) or 0 (by the images), got 2")
        compiled("group_by", self.group_by)
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
    """How training images are varied at random, each time they are used; not at all by default."""

    shift_pixels: float = setting(0.0, "largest shift in each direction", minimum=0)
    rotation_degrees: float = setting(
        0.0, "largest rotation to either side", minimum=0, maximum=180
    )
    scale: float = setting(0.0, "largest change of size, as a fraction", minimum=0, maximum=4)
    stretch: float = setting(
        0.0, "largest change of the aspect ratio, as a fraction", minimum=0, maximum=4
    )
    shear: float = setting(0.0, "largest shear, sideways per upwards", minimum=0)
    elastic_pixels: float = setting(0.0, "std of a smooth random displacement", minimum=0)
    fill: Literal["edge", "black", "mirror"] = setting(
        "edge", "fills the area outside the image: its edge pixels, black, or its mirror image"
    )
    interpolation: Literal["nearest", "bilinear", "bicubic"] = setting(
        "bilinear",
        "how moved images are resampled. nearest does not blur: shifts are rounded to whole"
        " pixels, and shift_pixels 1.5 draws -1, 0 and 1 equally often",
    )
    flip_horizontal: float = setting(
        0.0,
        "probability of mirroring; changes the meaning of letters and digits",
        minimum=0,
        maximum=1,
    )
    flip_vertical: float = setting(
        0.0,
        "probability of mirroring; changes the meaning of letters and digits",
        minimum=0,
        maximum=1,
    )
    veil: float = setting(
        0.0,
        "largest weight of a veil over half of the images, an even or uneven grey: other light and"
        " other backgrounds than the training images have; 0 is off",
        minimum=0,
        below=1,
    )
    noise: float = setting(
        0.0, "largest std of noise on half of the images, of pixels in 0..1; 0 is off", minimum=0
    )
    erase_probability: float = setting(
        0.0, "probability that a rectangle is blanked", minimum=0, maximum=1
    )
    erase_fraction: float = setting(
        0.25, "largest fraction of the image that is blanked", above=0, maximum=1
    )
    mixup_alpha: float = setting(
        0.0, "blends pairs of images, with a weight from Beta(alpha, alpha); 0 is off", minimum=0
    )
    cutmix_alpha: float = setting(
        0.0,
        "pastes a rectangle of another image, its area from Beta(alpha, alpha); 0 is off",
        minimum=0,
    )

    @property
    def is_geometric(self) -> bool:
        """Whether pixels are moved."""
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
    """The length of training, the batches and the loss."""

    epochs: int = setting(
        10,
        "passes over the train split; 0 trains nothing, for an output layer that is computed",
        minimum=0,
    )
    batch_size: int = setting(128, "images per step", minimum=1)
    loss: Literal["cross-entropy", "squared-error"] = setting(
        "cross-entropy",
        "cross-entropy: minus the logarithm of the true class's probability; squared-error: the sum"
        " over classes of (probability - target)^2, whose gradient vanishes for confident mistakes",
    )
    label_smoothing: float = setting(
        0.0, "fraction of the target spread over all classes", minimum=0, below=1
    )
    gradient_clip_norm: float = setting(
        0.0, "largest L2 norm of the gradient over all weights; 0 does not clip", minimum=0
    )
    patience: int = setting(
        0,
        "stop after this many epochs without a better validation result and keep the best weights;"
        " 0 trains all epochs and keeps the last weights",
        minimum=0,
    )
    stop_on: Literal["auto", "loss", "accuracy", "macro-f1"] = setting(
        "auto",
        "the validation figure that patience watches. auto: macro-f1 if the largest class has three"
        " times the images of the smallest, else loss",
    )
    class_weights: Literal["none", "balanced"] = setting(
        "none", "balanced: images of small classes get a larger weight in the loss"
    )
    class_costs: Mapping[str, float] = setting(
        {},
        "what a mistake on an image of a class costs, e.g. defective:5; other classes cost 1. The"
        " loss of an image is multiplied by it, and by the weight of `class_weights`",
        above=0,
    )
    sampling: Literal["shuffled", "balanced"] = setting(
        "shuffled",
        "shuffled: every image once per epoch; balanced: every class equally often",
    )
    precision: Literal["auto", "fp32", "bf16"] = setting(
        "auto", "auto: bf16 if the hardware has fast bf16 products, else fp32"
    )
    seed: int = setting(
        0,
        "decides initial weights, shuffling, dropout and which shots are drawn",
        minimum=0,
        below=2**63,
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
    """The optimizer, and the penalties on the weights."""

    name: OptimizerName = setting(
        "adamw",
        "the optimizer. lion: steps by the sign of a momentum, at a rate 3 to 10 times smaller than"
        " adamw's; muon: matrices by their orthogonalised momentum, other weights by adamw",
    )
    learning_rate: float = setting(
        1e-3, "the learning rate; the highest one if a schedule changes it", above=0
    )
    momentum: float = setting(0.0, "for sgd", minimum=0, below=1)
    nesterov: bool = setting(False, "Nesterov's momentum; for sgd")
    beta1: float = setting(
        0.9, "decay of the mean gradient per step; for all but sgd", minimum=0, below=1
    )
    beta2: float = setting(
        0.999,
        "decay of the mean squared gradient per step, for lion of the mean gradient (usually 0.99);"
        " for all but sgd",
        minimum=0,
        below=1,
    )
    weight_decay: float = setting(
        0.0,
        "L2 penalty: in the gradient for sgd and adam, decoupled for the others; on weights of "
        "layers, not on biases or norms",
        minimum=0,
    )
    l1: float = setting(
        0.0,
        "L1 penalty: this times the sum of absolute weights is added to the loss; same weights",
        minimum=0,
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
    """How the learning rate changes during training."""

    name: Literal["constant", "step", "cosine", "one-cycle"] = setting(
        "constant",
        "constant; step: times `step_factor` every `step_epochs`; cosine: down to `final_factor`;"
        " one-cycle: up from `initial_factor` over `warmup_fraction`, then cosine down",
    )
    warmup_fraction: float = setting(
        0.25, "fraction of all steps in which the rate rises; for one-cycle", above=0, below=1
    )
    initial_factor: float = setting(
        0.04, "first rate as a fraction of the highest; for one-cycle", above=0, maximum=1
    )
    final_factor: float = setting(
        0.0,
        "last rate as a fraction of the highest; for cosine and one-cycle",
        minimum=0,
        maximum=1,
    )
    step_epochs: int = setting(10, "epochs between two changes of the rate; for step", minimum=1)
    step_factor: float = setting(0.1, "factor of each change; for step", above=0, maximum=1)


@dataclass(frozen=True)
class AveragingRecipe(Section):
    """A running average of the weights and of the norms' statistics, kept at the end."""

    decay: float = setting(
        0.0,
        "fraction of the average that a step keeps, e.g. 0.998; 0 does not average",
        minimum=0,
        below=1,
    )


@dataclass(frozen=True)
class PredictionRecipe(Section):
    """How the trained classifier predicts."""

    views: Views = setting(
        "plain",
        "test-time augmentation: the views of an image that class probabilities are averaged over,"
        " in validation too. plain: the image only; mirrored: also its mirror image, in twice the"
        " time; shifted: also its shifts in eight directions, in nine times the time;"
        " mirrored-and-shifted: those nine and their mirror images, in eighteen times the time",
    )

    @property
    def mirrors(self) -> bool:
        """Whether mirror images are among the views."""
        return "mirrored" in self.views


@dataclass(frozen=True)
class DistillationRecipe(Section):
    """Distillation: training on a teacher's probabilities as well as on labels."""

    teacher: str = setting("", "the teacher, a run or a classifier file; empty is none")
    weight: float = setting(
        0.7, "fraction of the loss that comes from the teacher", above=0, maximum=1
    )
    temperature: float = setting(
        2.0, "the logits of both are divided by this, which softens the probabilities", above=0
    )


_FREEZING_WORDS = ("head", "all", "gradual")


@dataclass(frozen=True)
class FinetuningRecipe(Section):
    """Fine-tuning: the trained network to start from, and which weights are trained."""

    source: str = setting(
        "",
        "a run, a classifier file, imagenet (EfficientNet-Lite0 trained on ImageNet), or timm:NAME"
        " (a network of timm's); empty starts from zero",
    )
    weights_file: str = setting(
        "",
        "the weights of imagenet, a .pth file, or of a timm: source, a file or a folder with its"
        " config.json; empty takes the published ones",
    )
    freezing: int | str = setting(
        "all",
        "head: only the output layer is trained; all: every layer is; a number: this many of the"
        " first stages are frozen; gradual: stages are unfrozen one by one, the last first",
        minimum=0,
    )
    unfreezing_fraction: float = setting(
        0.5,
        "fraction of the epochs after which every stage is unfrozen; for gradual",
        above=0,
        maximum=1,
    )
    head: Literal["new", "linear", "prototype", "source"] = setting(
        "new",
        "initial weights of the output layer. new: random; linear: logistic regression on the"
        " features of train, its penalty chosen by cross-validation; prototype: each class's mean"
        " feature; source: those of the source, for the same classes",
    )
    norm_statistics: Literal["data", "source"] = setting(
        "data", "mean and std of batch norm: data measures them anew, source keeps them"
    )
    layer_decay: float = setting(
        1.0, "the learning rate of a stage is this times that of the next stage", above=0, maximum=1
    )
    head_rate: float = setting(
        1.0, "the learning rate of the output layer is this times that of the last stage", above=0
    )
    l2_sp: float = setting(
        0.0,
        "pulls weights towards the source's: this times half their squared distance is added to the"
        " loss; weight_decay then applies to the output layer only",
        minimum=0,
    )
    lora_rank: int | str = setting(
        "none",
        "LoRA: trains only a change of this rank to each convolution and linear layer, and the"
        " output layer; none trains the weights themselves",
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
        if self.weights_file and not self.source.startswith(("timm:", "imagenet")):
            raise ConfigError(
                f"weights_file belongs to a source imagenet or timm:NAME, got {self.source!r}; "
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
