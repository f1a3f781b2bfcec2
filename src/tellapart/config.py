"""The recipe: everything that decides a training run, as frozen dataclasses.

A field's default, limits and help stand in one place, here; the command line, the TOML files and
``tellapart recipes show`` are all fed from it. A recipe that breaks a rule cannot be made.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import json
import math
import operator
import re
import tomllib
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from tellapart.errors import ConfigError

Scalar = bool | int | float | str


def _setting(
    default: Any,
    help: str,
    *,
    minimum: float | None = None,
    above: float | None = None,
    maximum: float | None = None,
    below: float | None = None,
) -> Any:
    limits = {"minimum": minimum, "above": above, "maximum": maximum, "below": below}
    metadata = {"help": help, "limits": {k: v for k, v in limits.items() if v is not None}}
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


_RULES: Mapping[str, tuple[str, Callable[[float, float], bool]]] = {
    "minimum": ("at least", operator.ge),
    "above": ("greater than", operator.gt),
    "maximum": ("at most", operator.le),
    "below": ("less than", operator.lt),
}


class _Section:
    """Checks every field's type and limits when an instance is made."""

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for entry in dataclasses.fields(self):  # type: ignore[arg-type]
            value = _typed(entry.name, getattr(self, entry.name), hints[entry.name])
            _check_limits(entry.name, value, entry.metadata.get("limits", {}))
            # 1 becomes 1.0 and a list a tuple: two recipes that mean the same are equal.
            object.__setattr__(self, entry.name, value)


def _check_limits(name: str, value: Any, limits: Mapping[str, float]) -> None:
    numbers = value if isinstance(value, tuple) else (value,)
    for number in numbers:
        if not isinstance(number, (int, float)):
            continue
        if isinstance(number, float) and not math.isfinite(number):
            raise ConfigError(f"{name} must be a finite number, got {number}")
        for rule, limit in limits.items():
            words, holds = _RULES[rule]
            if not holds(number, limit):
                raise ConfigError(f"{name} must be {words} {limit:g}, got {number}")


@dataclass(frozen=True)
class ModelRecipe(_Section):
    """Which network is trained."""

    network: str = _setting("small-residual", "a name from `tellapart.models.zoo`")
    arguments: Mapping[str, Scalar] = _setting({}, "what the network's builder takes, by name")
    operations: Literal["torch", "from_scratch"] = _setting(
        "torch",
        "torch: its own layers; from_scratch: the same function of the same weights, computed by"
        " `tellapart.ops`",
    )


@dataclass(frozen=True)
class DataRecipe(_Section):
    """What is done with the pictures before the network sees them."""

    validation_share: float = _setting(
        0.0, "part of the train split kept out for choosing; 0 keeps none", minimum=0, below=1
    )
    classes: tuple[str, ...] = _setting(
        (), "only these, by name, and in the data's own order; empty takes all"
    )
    shots: int = _setting(
        0,
        "training pictures a class, drawn by the seed from what validation leaves; 0 takes all",
        minimum=0,
    )
    size: int = _setting(
        0,
        "picture files are made squares of so many pixels a side; 0 chooses by the pictures",
        minimum=0,
        maximum=4096,
    )
    channels: int = _setting(
        0, "of picture files: 1 grey, 3 colour; 0 chooses by the pictures", minimum=0, maximum=3
    )
    fit: Literal["pad", "crop"] = _setting(
        "pad",
        "picture files of another aspect. pad: the whole picture with a border; crop: its middle",
    )
    test_share: float = _setting(
        0.2,
        "part of own pictures kept for the test where they come without a test split; 0 keeps none",
        minimum=0,
        below=1,
    )
    split_seed: int = _setting(
        0, "decides which own pictures are kept for test and validation", minimum=0, below=2**63
    )
    normalization: Literal["measured", "given", "none", "source"] = _setting(
        "measured",
        "measured: the train split's mean and deviation per channel; given: `mean` and"
        " `deviation`; none: pixels in 0..1 as they are; source: as what is fine-tuned",
    )
    mean: tuple[float, ...] = _setting((), "per channel, of pixels in 0..1; for `given`")
    deviation: tuple[float, ...] = _setting(
        (), "per channel, of pixels in 0..1; for `given`", above=0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.channels == 2:
            raise ConfigError("channels must be 1 (grey), 3 (colour) or 0 (by the pictures), got 2")
        if self.normalization == "given":
            if not self.mean or len(self.mean) != len(self.deviation):
                raise ConfigError(
                    "normalization 'given' needs mean and deviation with one number per channel "
                    f"each, got {len(self.mean)} and {len(self.deviation)}"
                )
        elif self.mean or self.deviation:
            raise ConfigError(
                f"mean and deviation are used only with normalization 'given', "
                f"got normalization {self.normalization!r}; set data.normalization=given"
            )


@dataclass(frozen=True)
class AugmentationRecipe(_Section):
    """How training pictures are varied, each time they are seen; nothing by default."""

    shift_pixels: float = _setting(0.0, "moved by up to this in each direction", minimum=0)
    turn_degrees: float = _setting(
        0.0, "turned by up to this to either side", minimum=0, maximum=180
    )
    scale: float = _setting(0.0, "grown or shrunk by up to this share", minimum=0, maximum=4)
    stretch: float = _setting(
        0.0, "one side against the other, by up to this share", minimum=0, maximum=4
    )
    shear: float = _setting(0.0, "slanted by up to this, sideways per upwards", minimum=0)
    elastic_pixels: float = _setting(0.0, "deviation of a smooth random displacement", minimum=0)
    fill: Literal["edge", "black", "mirror"] = _setting(
        "edge", "what comes in from outside the picture"
    )
    interpolation: Literal["nearest", "bilinear", "bicubic"] = _setting(
        "bilinear",
        "what a moved picture has between the old one's pixels. nearest blurs nothing: shifts are"
        " by whole pixels then",
    )
    flip_horizontal: float = _setting(
        0.0, "probability; changes what letters and digits mean", minimum=0, maximum=1
    )
    flip_vertical: float = _setting(
        0.0, "probability; changes what letters and digits mean", minimum=0, maximum=1
    )
    erase_probability: float = _setting(
        0.0, "a rectangle is blanked this often", minimum=0, maximum=1
    )
    erase_share: float = _setting(0.25, "largest part of the picture it takes", above=0, maximum=1)
    mixup_alpha: float = _setting(
        0.0, "blend pairs, with a share from Beta(alpha, alpha); 0 is off", minimum=0
    )
    cutmix_alpha: float = _setting(
        0.0, "paste pairs, with a share from Beta(alpha, alpha); 0 is off", minimum=0
    )

    @property
    def is_geometric(self) -> bool:
        """Whether pixels move."""
        return any(
            (
                self.shift_pixels,
                self.turn_degrees,
                self.scale,
                self.stretch,
                self.shear,
                self.elastic_pixels,
                self.flips,
            )
        )

    @property
    def flips(self) -> bool:
        """Whether pictures are mirrored."""
        return bool(self.flip_horizontal or self.flip_vertical)

    @property
    def is_active(self) -> bool:
        """Whether anything is varied at all."""
        others = (self.erase_probability, self.mixup_alpha, self.cutmix_alpha)
        return self.is_geometric or any(others)


@dataclass(frozen=True)
class TrainingRecipe(_Section):
    """How long and in what portions the network is trained, and on what loss."""

    epochs: int = _setting(10, "passes over the train split", minimum=1)
    batch_size: int = _setting(128, "pictures per step", minimum=1)
    label_smoothing: float = _setting(
        0.0, "share of the target spread over all classes", minimum=0, below=1
    )
    gradient_clip_norm: float = _setting(
        0.0, "longest gradient, as an L2 norm over all weights; 0 clips nothing", minimum=0
    )
    patience: int = _setting(
        0,
        "stop after this many epochs in which validation got no better and end on the best "
        "weights; 0 trains all epochs and ends on the last",
        minimum=0,
    )
    stop_on: Literal["auto", "loss", "accuracy", "macro-f1"] = _setting(
        "auto",
        "what of validation patience watches, and the best weights are the best in. auto: macro-f1"
        " where the largest class has three times the pictures of the smallest, else loss",
    )
    class_weights: Literal["none", "balanced"] = _setting(
        "none", "balanced: a picture counts in the loss the more, the fewer its class has"
    )
    sampling: Literal["shuffled", "balanced"] = _setting(
        "shuffled",
        "shuffled: every picture once an epoch; balanced: drawn so that each class comes as often",
    )
    precision: Literal["auto", "fp32", "bf16"] = _setting(
        "auto", "auto: bf16 where the hardware multiplies it fast, else fp32"
    )
    seed: int = _setting(
        0, "decides weights, shuffling, dropout and the validation part", minimum=0, below=2**63
    )


@dataclass(frozen=True)
class OptimizerRecipe(_Section):
    """How a gradient becomes a step."""

    name: Literal["sgd", "adam", "adamw"] = _setting("adamw", "the rule of the step")
    learning_rate: float = _setting(1e-3, "the highest one where a schedule moves it", above=0)
    momentum: float = _setting(0.0, "for sgd", minimum=0, below=1)
    nesterov: bool = _setting(False, "look ahead along the momentum; for sgd")
    beta1: float = _setting(0.9, "memory of the gradient; for adam and adamw", minimum=0, below=1)
    beta2: float = _setting(0.999, "memory of its square; for adam and adamw", minimum=0, below=1)
    weight_decay: float = _setting(
        0.0,
        "L2: in the gradient for sgd and adam, apart from it for adamw; on weights of layers, "
        "not on biases or norms",
        minimum=0,
    )
    l1: float = _setting(
        0.0, "L1: this times the sum of absolute weights joins the loss; same weights", minimum=0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.name != "sgd" and (self.momentum or self.nesterov):
            raise ConfigError(
                f"momentum and nesterov belong to sgd, got optimizer {self.name!r}; "
                "set optimizer.momentum=0 and optimizer.nesterov=false, or optimizer.name=sgd"
            )
        if self.nesterov and not self.momentum:
            raise ConfigError("nesterov needs a momentum above 0; set optimizer.momentum=0.9")


@dataclass(frozen=True)
class ScheduleRecipe(_Section):
    """How the learning rate moves, step by step."""

    name: Literal["constant", "step", "cosine", "one-cycle"] = _setting(
        "constant",
        "constant; step: times `step_factor` every `step_epochs`; cosine: down to `final_factor`;"
        " one-cycle: up from `initial_factor` over `warmup_share`, then cosine down",
    )
    warmup_share: float = _setting(
        0.25, "part of all steps spent rising; for one-cycle", above=0, below=1
    )
    initial_factor: float = _setting(
        0.04, "first rate as a part of the highest; for one-cycle", above=0, maximum=1
    )
    final_factor: float = _setting(
        0.0, "last rate as a part of the highest; for cosine and one-cycle", minimum=0, maximum=1
    )
    step_epochs: int = _setting(10, "epochs between two steps; for step", minimum=1)
    step_factor: float = _setting(0.1, "what a step multiplies by; for step", above=0, maximum=1)


@dataclass(frozen=True)
class AveragingRecipe(_Section):
    """A running average of the weights, and of the norms' statistics, that training ends on."""

    decay: float = _setting(
        0.0,
        "share of the average that a step keeps, e.g. 0.998; 0 averages nothing",
        minimum=0,
        below=1,
    )


@dataclass(frozen=True)
class PredictionRecipe(_Section):
    """How the trained classifier answers."""

    views: Literal["one", "mirrored", "shifted", "both"] = _setting(
        "one",
        "what the answer is the mean over. one: the picture as it is; mirrored: it and its mirror"
        " image; shifted: it and its shifts in the eight directions; both: those nine, and the"
        " mirror image of each",
    )

    @property
    def mirrors(self) -> bool:
        """Whether mirrored pictures have a say."""
        return self.views in ("mirrored", "both")


@dataclass(frozen=True)
class DistillationRecipe(_Section):
    """Learning from a trained classifier's probabilities as well as from labels."""

    teacher: str = _setting("", "a run or a classifier file; empty is none")
    weight: float = _setting(
        0.7, "share of the loss that comes from the teacher", above=0, maximum=1
    )
    temperature: float = _setting(
        2.0, "logits are divided by this on both sides, which softens them", above=0
    )


_FREEZING_WORDS = ("head", "all", "gradual")


@dataclass(frozen=True)
class FinetuningRecipe(_Section):
    """Starting from a trained network instead of from zero, and what of it may change."""

    source: str = _setting(
        "", "a run, a classifier file, or timm:NAME for one of timm's; empty starts from zero"
    )
    weights_file: str = _setting("", "of a timm: source; empty fetches its published weights")
    freezing: int | str = _setting(
        "all",
        "head: only the new layer is trained; all: everything is; a number: so many of the first"
        " stages are frozen; gradual: stages thaw one by one, the last first",
        minimum=0,
    )
    thawed_share: float = _setting(
        0.5,
        "part of the epochs after which the last stage has thawed; for gradual",
        above=0,
        maximum=1,
    )
    head: Literal["new", "prototype", "source"] = _setting(
        "new",
        "how the output layer begins. new: random; prototype: each class's mean feature; source:"
        " as it was, for the same classes",
    )
    norm_statistics: Literal["data", "source"] = _setting(
        "data", "batch norm's mean and deviation: learned from the data, or kept from the source"
    )
    layer_decay: float = _setting(
        1.0, "a stage's learning rate is this times that of the next one", above=0, maximum=1
    )
    head_rate: float = _setting(
        1.0, "the output layer's learning rate is this times that of the last stage", above=0
    )
    l2_sp: float = _setting(
        0.0,
        "pulls weights to the source's: this times half their squared distance joins the loss;"
        " weight_decay then pulls on the output layer only",
        minimum=0,
    )
    lora_rank: int | str = _setting(
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
            f"{_nearest(value, words)}"
        )


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run but the pictures themselves.

    Raises:
        ConfigError: where parts contradict one another.
    """

    name: str = "custom"
    description: str = ""
    model: ModelRecipe = field(default_factory=ModelRecipe)
    data: DataRecipe = field(default_factory=DataRecipe)
    augmentation: AugmentationRecipe = field(default_factory=AugmentationRecipe)
    training: TrainingRecipe = field(default_factory=TrainingRecipe)
    optimizer: OptimizerRecipe = field(default_factory=OptimizerRecipe)
    schedule: ScheduleRecipe = field(default_factory=ScheduleRecipe)
    averaging: AveragingRecipe = field(default_factory=AveragingRecipe)
    prediction: PredictionRecipe = field(default_factory=PredictionRecipe)
    distillation: DistillationRecipe = field(default_factory=DistillationRecipe)
    finetuning: FinetuningRecipe = field(default_factory=FinetuningRecipe)

    def __post_init__(self) -> None:
        for entry in ("name", "description"):
            _typed(entry, getattr(self, entry), str)
        if self.training.patience and not self.data.validation_share:
            raise ConfigError(
                f"patience {self.training.patience} needs a validation part to watch; "
                "set data.validation_share=0.1, or training.patience=0"
            )

    def to_mapping(self) -> dict[str, Any]:
        """The recipe as nested plain tables, as they stand in its TOML file."""
        return dataclasses.asdict(self)

    def to_toml(self, *, explain: bool = False) -> str:
        """The recipe as a TOML file that :func:`recipe_from_toml` reads back unchanged.

        Args:
            explain: put each field's help beside it as a comment.
        """
        lines = [f"name = {_toml(self.name)}", f"description = {_toml(self.description)}"]
        for section in SECTIONS:
            lines += ["", f"[{section}]"]
            part = getattr(self, section)
            for entry in dataclasses.fields(part):
                value = getattr(part, entry.name)
                if explain:
                    lines.append(f"# {entry.metadata['help']}")
                lines.append(f"{entry.name} = {_toml(value)}")
        return "\n".join(lines) + "\n"

    def with_settings(self, settings: Sequence[str]) -> Recipe:
        """The recipe with ``KEY=VALUE`` settings applied, all at once.

        A key is ``section.field``, or the field alone where only one section has it, or a section
        alone for its ``name`` (``optimizer=sgd``, ``schedule=cosine``). Another network begins with
        its own arguments' defaults: those of the recipe were meant for the one it replaces.

        Raises:
            ConfigError: an unknown or ambiguous key, or a value of the wrong type or range.
        """
        tables = self.to_mapping()
        arguments: dict[str, Scalar] = {}
        for setting in settings:
            key, equals, text = setting.partition("=")
            if not equals:
                raise ConfigError(f"--set takes KEY=VALUE, got {setting!r}; e.g. epochs=5")
            section, name, argument = _locate(key.strip())
            hint = _hints(section)[name]
            if argument:
                arguments[argument] = _parse_scalar(text.strip())
            else:
                tables[section][name] = _parse(f"{section}.{name}", text.strip(), hint)
        if tables["model"]["network"] == self.model.network:
            arguments = {**self.model.arguments, **arguments}
        tables["model"]["arguments"] = arguments
        return recipe_from_mapping(tables, origin="--set")


_SECTION_TYPES: dict[str, type[Any]] = {
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
SECTIONS = tuple(_SECTION_TYPES)


@cache
def _hints(section: str) -> dict[str, Any]:
    return get_type_hints(_SECTION_TYPES[section])


def all_keys() -> Iterator[str]:
    """Every key that ``--set`` takes, as ``section.field``."""
    for section in SECTIONS:
        for name in _hints(section):
            yield f"{section}.{name}"


def _nearest(word: str, candidates: Sequence[str]) -> str:
    found = difflib.get_close_matches(word, candidates, n=1, cutoff=0.5)
    return f"; did you mean {found[0]!r}?" if found else ""


def _locate(key: str) -> tuple[str, str, str]:
    """Section, field and, for a network's argument, its name."""
    section, _, name = key.partition(".")
    if section in _SECTION_TYPES and not name:
        for leading in ("name", "network"):
            if leading in _hints(section):
                return section, leading, ""
        raise ConfigError(
            f"{key!r} is a section; name a field: "
            + ", ".join(f"{section}.{entry}" for entry in _hints(section))
        )
    if section in _SECTION_TYPES:
        name, _, argument = name.partition(".")
        is_table = _is_table(_hints(section).get(name))
        if name in _hints(section) and is_table == bool(argument):
            return section, name, argument
        if is_table:
            raise ConfigError(
                f"{key!r} is a table; set one of its entries: {section}.{name}.NAME=VALUE"
            )
    homes = [home for home in SECTIONS if key in _hints(home) and key not in ("name", "arguments")]
    if len(homes) == 1:
        return homes[0], key, ""
    if homes:
        choices = ", ".join(f"{home}.{key}" for home in homes)
        raise ConfigError(f"recipe key {key!r} is ambiguous: {choices}")
    raise ConfigError(f"unknown recipe key {key!r}{_suggest_key(key)}")


def _suggest_key(key: str) -> str:
    full = list(all_keys())
    short = {name.partition(".")[2]: name for name in full}
    found = difflib.get_close_matches(key, [*full, *short], n=1, cutoff=0.5)
    if not found:
        return "; `tellapart recipes show` lists all keys"
    return f"; did you mean {short.get(found[0], found[0])!r}?"


def _is_table(hint: Any) -> bool:
    return get_origin(hint) is not None and get_origin(hint) is Mapping


def _parse_scalar(text: str) -> Scalar:
    try:
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    value = table["value"]
    is_scalar = isinstance(value, (bool, int, float, str)) and len(table) == 1
    return value if is_scalar else text


def _parse(key: str, text: str, hint: Any) -> Any:
    """The value that ``text`` means for a field of type ``hint``; checked later as any other."""
    if get_origin(hint) is tuple:
        parts = [part.strip() for part in text.strip("[]()").split(",") if part.strip()]
        return tuple(_parse(key, part, get_args(hint)[0]) for part in parts)
    if hint is str or get_origin(hint) is Literal:
        return text.strip("\"'")
    value = _parse_scalar(text)
    # `1e-3` is a number in TOML, `.5` and `5.` are not, and people type them.
    if hint is float and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _typed(key: str, value: Any, hint: Any) -> Any:
    """``value`` as the type ``hint``, or a ConfigError that says what is wanted."""
    origin = get_origin(hint)
    if origin is Literal:
        choices = get_args(hint)
        if value in choices:
            return value
        listed = ", ".join(str(choice) for choice in choices)
        raise ConfigError(
            f"{key} must be one of {listed}, got {value!r}{_nearest(str(value), choices)}"
        )
    if origin is tuple and isinstance(value, (list, tuple)):
        return tuple(_typed(key, entry, get_args(hint)[0]) for entry in value)
    if _is_table(hint) and isinstance(value, Mapping):
        return {str(name): _typed(f"{key}.{name}", entry, Scalar) for name, entry in value.items()}
    if origin in (Union, types.UnionType) and type(value) in get_args(hint):
        return value
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    with contextlib.suppress(OverflowError):  # a whole number of more than 308 digits
        if hint is float and is_number:
            return float(value)
        if hint is int and is_number and float(value).is_integer():
            return int(value)
    if hint in (str, bool) and isinstance(value, hint):
        return value
    wanted = {
        int: "a whole number",
        float: "a number",
        str: "text",
        bool: "true or false",
        Scalar: "a number, text, or true or false",
        int | str: "a word or a whole number",
        tuple[str, ...]: "a list of names",
    }
    kind = wanted.get(hint, "a list of numbers" if origin is tuple else "a table of plain values")
    raise ConfigError(f"{key} must be {kind}, got {value!r}")


def recipe_from_mapping(tables: Mapping[str, Any], *, origin: str) -> Recipe:
    """A recipe from nested tables; what is left out has its default.

    Args:
        tables: as :meth:`Recipe.to_mapping` gives them.
        origin: where they come from, for the message of an error.

    Raises:
        ConfigError: an unknown key, a value of the wrong type or out of range.
    """
    parts: dict[str, Any] = {}
    for section, content in tables.items():
        if section in ("name", "description"):
            parts[section] = content
            continue
        if section not in _SECTION_TYPES:
            known = _nearest(section, [*SECTIONS, "name", "description"])
            raise ConfigError(
                f"{origin}: unknown section [{section}]{known or '; known: ' + ', '.join(SECTIONS)}"
            )
        if not isinstance(content, Mapping):
            raise ConfigError(f"{origin}: {section} must be a table, got {content!r}")
        for name in content:
            if name not in _hints(section):
                raise ConfigError(
                    f"{origin}: unknown recipe key {section + '.' + name!r}"
                    f"{_suggest_key(section + '.' + name)}"
                )
        try:
            values = {
                name: _typed(f"{section}.{name}", value, _hints(section)[name])
                for name, value in content.items()
            }
            parts[section] = _SECTION_TYPES[section](**values)
        except ConfigError as error:
            raise ConfigError(f"{origin}: {error}") from None
    try:
        return Recipe(**parts)
    except ConfigError as error:
        raise ConfigError(f"{origin}: {error}") from None


def recipe_from_toml(text: str, *, origin: str) -> Recipe:
    """A recipe from the text of its TOML file.

    Raises:
        ConfigError: text that is not TOML, or as :func:`recipe_from_mapping`.
    """
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # Not only TOMLDecodeError: brackets a thousand deep, a number of five thousand digits.
        raise ConfigError(f"{origin} is not a TOML file: {error}") from None
    return recipe_from_mapping(tables, origin=origin)


def recipe_names() -> tuple[str, ...]:
    """The recipes that come with the package, sorted."""
    folder = resources.files("tellapart") / "recipes"
    return tuple(sorted(p.name[:-5] for p in folder.iterdir() if p.name.endswith(".toml")))


def recipe_text(name: str) -> str:
    """The TOML file of a recipe that comes with the package.

    Raises:
        ConfigError: where there is none of that name.
    """
    names = recipe_names()
    if name not in names:
        hint = _nearest(name, names)
        raise ConfigError(
            f"unknown recipe {name!r}{hint or '; known: ' + ', '.join(names)}"
            + ("" if hint else " (or the path of a .toml file)")
        )
    return (resources.files("tellapart") / "recipes" / f"{name}.toml").read_text("utf-8")


def load_recipe(source: str | Path) -> Recipe:
    """A recipe by the name it has in the package, or from a ``.toml`` file.

    Raises:
        ConfigError: unknown name, a file that is missing or unreadable, or wrong content.
    """
    text = str(source)
    if not text.endswith(".toml"):
        return recipe_from_toml(recipe_text(text), origin=f"recipe {text!r}")
    path = Path(source)
    try:
        content = path.read_text("utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"recipe file {text!r} does not exist; "
            "`tellapart recipes list` names the ones that come with the package"
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"recipe file {text!r} cannot be read: {error}") from None
    recipe = recipe_from_toml(content, origin=text)
    return recipe if recipe.name != "custom" else dataclasses.replace(recipe, name=path.stem)


def recipe_difference(left: Recipe, right: Recipe) -> list[str]:
    """The keys in which two recipes differ, as lines ``key: left -> right``."""
    lines = []
    for key in all_keys():
        section, name = key.split(".")
        ours, theirs = getattr(getattr(left, section), name), getattr(getattr(right, section), name)
        if ours != theirs:
            lines.append(f"{key}: {_toml(ours)} -> {_toml(theirs)}")
    return lines


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # JSON's escapes are TOML's too, but TOML wants DEL escaped as well.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        entries = ", ".join(f"{_toml_key(k)} = {_toml(v)}" for k, v in value.items())
        return f"{{ {entries} }}" if entries else "{}"
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(entry) for entry in value) + "]"
    return repr(value)


def _toml_key(name: str) -> str:
    return name if re.fullmatch("[A-Za-z0-9_-]+", name) else _toml(name)
