"""A recipe survives its TOML file, refuses what is wrong by name, and the shipped ones stay put."""

import contextlib
import dataclasses
import math
import tomllib
import typing
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.config import (
    OPTIMIZER_FIELDS,
    SECTIONS,
    DataRecipe,
    ModelRecipe,
    OptimizerRecipe,
    Recipe,
    ScheduleRecipe,
    TrainingRecipe,
    all_keys,
    keys,
    load_recipe,
    recipe_difference,
    recipe_from_mapping,
    recipe_from_toml,
    recipe_names,
    recipe_text,
    typed_settings,
)
from tellapart.config.fields import setting
from tellapart.config.sections import OptimizerName
from tellapart.errors import ConfigError
from tellapart.models.registry import NETWORKS, build_network, count_parameters

# What stands in a TOML file is UTF-8; half a surrogate pair is not.
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
SCALARS = st.booleans() | st.integers(-9, 9999) | st.floats(-10, 10) | TEXT


def refusal(action):
    with pytest.raises(ConfigError) as caught:
        action()
    return str(caught.value)


def set_refusal(*changes, recipe=None):
    return refusal(lambda: (recipe or Recipe()).with_settings(changes))


def toml_refusal(text):
    return refusal(lambda: recipe_from_toml(text, origin="my.toml"))


def field_values(entry, hint):
    """Values that a field may take by its type and limits alone."""
    limits = entry.metadata["limits"]
    low = limits.get("minimum", limits.get("above", -1e6))
    high = limits.get("maximum", limits.get("below", max(1e6, low)))
    bounds = {"exclude_min": "above" in limits, "exclude_max": "below" in limits}
    plain = {
        bool: st.booleans(),
        int: st.integers(int(low), int(high) - bounds["exclude_max"]),
        float: st.floats(low, high, **bounds),
        str: TEXT,
    }
    if hint in plain:
        return plain[hint]
    inner = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Literal:
        return st.sampled_from(inner)
    if typing.get_origin(hint) is tuple:
        return st.lists(plain[inner[0]], max_size=4).map(tuple)
    if typing.get_origin(hint) is Mapping:
        return st.dictionaries(TEXT, SCALARS, max_size=3)
    return st.one_of(*(plain[kind] for kind in inner))


# Settings that hold only together: the draw starts from them or from the defaults.
TOGETHER = {
    "data": DataRecipe(
        validation_fraction=0.1, normalization="given", mean=(0.1, 0.2), std=(0.3, 0.4)
    ),
    "optimizer": OptimizerRecipe(name="sgd", momentum=0.9, nesterov=True),
}


@st.composite
def recipes(draw):
    """Any recipe: drawn values are put in one by one, those that break a rule are left out."""
    recipe = Recipe(draw(TEXT), draw(TEXT))
    for section in SECTIONS:
        part = getattr(recipe, section)
        part = draw(st.sampled_from([part, TOGETHER.get(section, part)]))
        hints = typing.get_type_hints(type(part))
        for entry in dataclasses.fields(part):
            value = draw(field_values(entry, hints[entry.name]))
            with contextlib.suppress(ConfigError):
                part = dataclasses.replace(part, **{entry.name: value})
        with contextlib.suppress(ConfigError):
            recipe = dataclasses.replace(recipe, **{section: part})
    return recipe


@pytest.mark.parametrize("name", recipe_names())
@pytest.mark.parametrize("explain", [False, True])
def test_shipped_recipes_survive_their_toml(name, explain):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.description
    assert recipe_from_toml(recipe.to_toml(explain=explain), origin="again") == recipe


@settings(max_examples=60, deadline=None)
@given(recipe=recipes(), explain=st.booleans())
def test_any_recipe_survives_its_toml(recipe, explain):
    text = recipe.to_toml(explain=explain)
    again = recipe_from_toml(text.encode().decode(), origin="drawn")
    assert again == recipe
    assert recipe_difference(recipe, again) == []
    assert recipe_from_mapping(recipe.to_mapping(), origin="drawn") == recipe


@pytest.mark.parametrize(
    "text", ["\x7f", "\x00", "a\nb\r\tc", 'say "no"', "back\\slash", "\u2028", "数字", "🙂"]
)
def test_text_of_every_kind_survives(text):
    recipe = Recipe(
        name=text, description=text, model=ModelRecipe(arguments={text: text, "a.b": 1})
    )
    assert recipe_from_toml(recipe.to_toml(explain=True), origin="x") == recipe


def test_explained_toml_puts_every_help_above_its_field():
    lines = Recipe().to_toml(explain=True).splitlines()
    for key in all_keys():
        section, name = key.split(".")
        helped = type(getattr(Recipe(), section)).__dataclass_fields__[name].metadata["help"]
        start = lines.index(f"[{section}]")
        place = next(n for n in range(start, len(lines)) if lines[n].startswith(f"{name} = "))
        assert lines[place - 1] == f"# {helped}"


def test_every_field_has_a_help_of_one_line_and_a_default():
    for key in all_keys():
        section, name = key.split(".")
        entry = type(getattr(Recipe(), section)).__dataclass_fields__[name]
        assert entry.metadata["help"].strip(), key
        assert "\n" not in entry.metadata["help"], key
        made = type(getattr(Recipe(), section))()
        assert getattr(made, name) is not None, key


def test_sections_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe().training.epochs = 3


# The articles' table, typed a second time. A changed recipe must be changed here too, on purpose.
MNIST = ("given", (0.1307,), (0.3081,))
HALVES = ("given", (0.5,), (0.5,))
RAW = ("none", (), ())
TUTORIALS = {
    # recipe: network, optimiser, rate, momentum, batch, epochs, normalisation, parameters
    "tutorial-dropout-sgd": ("dropout", "sgd", 0.01, 0.9, 64, 5, MNIST, 1_199_882),
    "tutorial-single-conv-adam": ("single-conv", "adam", 1e-3, 0.0, 64, 5, RAW, 13_610),
    "tutorial-single-conv-sgd": ("single-conv", "sgd", 0.01, 0.0, 64, 10, HALVES, 13_610),
    "tutorial-two-conv-adam": ("two-conv", "adam", 1e-3, 0.0, 64, 5, MNIST, 1_199_882),
    "tutorial-lenet": ("lenet", "adam", 1e-3, 0.0, 100, 5, MNIST, 61_706),
    "tutorial-dropout-adam": ("dropout", "adam", 1e-3, 0.0, 100, 5, MNIST, 1_199_882),
    "tutorial-two-conv-5x5": ("two-conv-5x5", "sgd", 1e-3, 0.9, 100, 10, HALVES, 21_840),
}


def test_there_are_seven_tutorial_recipes():
    assert {name for name in recipe_names() if name.startswith("tutorial-")} == TUTORIALS.keys()


@pytest.mark.parametrize("name", TUTORIALS)
def test_tutorial_recipes_are_those_of_the_articles(name):
    recipe = load_recipe(name)
    network = build_network(recipe.model.network, (1, 28, 28), 10, recipe.model.arguments)
    optimizer, data, training = recipe.optimizer, recipe.data, recipe.training
    assert TUTORIALS[name] == (
        recipe.model.network,
        optimizer.name,
        optimizer.learning_rate,
        optimizer.momentum,
        training.batch_size,
        training.epochs,
        (data.normalization, data.mean, data.std),
        count_parameters(network),
    )
    second = {"second_relu": True, "channels": True} if name == "tutorial-dropout-adam" else {}
    assert recipe.model.arguments == second


@pytest.mark.parametrize("name", TUTORIALS)
def test_tutorial_recipes_add_nothing_that_the_articles_lack(name):
    recipe, plain = load_recipe(name), Recipe()
    changed = {line.partition(":")[0] for line in recipe_difference(plain, recipe)}
    assert changed <= {
        "model.network",
        "model.arguments",
        # They train on all images, as the articles do, and hold none out.
        "data.calibration_fraction",
        "data.normalization",
        "data.mean",
        "data.std",
        "training.epochs",
        "training.batch_size",
        "optimizer.name",
        "optimizer.learning_rate",
        "optimizer.momentum",
    }


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipes_name_networks_that_exist(name):
    assert load_recipe(name).model.network in NETWORKS
    assert tomllib.loads(recipe_text(name))["name"] == name


def test_an_unknown_recipe_gets_the_nearest_name_or_all():
    assert refusal(lambda: load_recipe("standrad")) == (
        "unknown recipe 'standrad'; did you mean 'standard'?"
    )
    everything = refusal(lambda: load_recipe("qqq"))
    assert all(name in everything for name in recipe_names())
    assert ".toml file" in everything


def test_a_recipe_file_is_named_after_itself(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[training]\nepochs = 3\n")
    assert load_recipe(path).name == "mine"
    assert load_recipe(str(path)).training.epochs == 3
    path.write_text('name = "said"\n')
    assert load_recipe(path).name == "said"


def test_recipe_files_that_cannot_be_read_are_refused(tmp_path):
    missing = tmp_path / "no.toml"
    message = refusal(lambda: load_recipe(missing))
    assert f"recipe file {str(missing)!r} does not exist" in message
    assert "`tellapart recipes list`" in message
    folder = tmp_path / "folder.toml"
    folder.mkdir()
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'name = "\xe9"')
    for path in (folder, latin, "nul\0.toml"):
        assert "cannot be read" in refusal(lambda path=path: load_recipe(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[trainig]\nepochs = 3", "unknown section [trainig]; did you mean 'training'?"),
        ("[zzz]", "unknown section [zzz]; known: model, data"),
        ("nam = 'x'", "unknown section [nam]; did you mean 'name'?"),
        (
            "[training]\nepoch = 3",
            "unknown recipe key 'training.epoch'; did you mean 'training.epochs'?",
        ),
        (
            "[optimizer]\nlr = 3",
            "unknown recipe key 'optimizer.lr'; did you mean",
        ),
        ("training = 3", "training must be a table, got 3"),
        ("name = 3", "name must be text, got 3"),
        ("[training]\nepochs = '3'", "training.epochs must be a whole number, got '3'"),
        ("[training]\nepochs = 2.5", "training.epochs must be a whole number, got 2.5"),
        ("[training]\nepochs = true", "training.epochs must be a whole number, got True"),
        ("[training]\nepochs = 1979-05-27", "training.epochs must be a whole number"),
        ("[training]\nepochs = 0", "epochs must be at least 1, got 0"),
        ("[training]\nepochs = inf", "training.epochs must be a whole number, got inf"),
        ("[training]\nlabel_smoothing = 1", "label_smoothing must be less than 1, got 1.0"),
        ("[training]\nseed = -1", "seed must be at least 0, got -1"),
        ("[optimizer]\nlearning_rate = -1", "learning_rate must be greater than 0, got -1.0"),
        ("[optimizer]\nlearning_rate = nan", "learning_rate must be a finite number, got nan"),
        ("[optimizer]\nlearning_rate = inf", "learning_rate must be a finite number, got inf"),
        ("[optimizer]\nnesterov = 1", "optimizer.nesterov must be true or false, got 1"),
        (
            "[optimizer]\nname = 'sdg'",
            "got 'sdg'; did you mean 'sgd'?",
        ),
        ("[optimizer]\nname = [[1]]", "optimizer.name must be one of sgd, "),
        ("[data]\nmean = 0.5", "data.mean must be a list of numbers, got 0.5"),
        ("[data]\nmean = [true]", "data.mean must be a number, got True"),
        ("[data]\nmean = [nan]", "mean must be a finite number, got nan"),
        ("[schedule]\nfinal_factor = 1.5", "final_factor must be at most 1, got 1.5"),
        ("[model]\narguments = 3", "model.arguments must be a table of plain values, got 3"),
        (
            "[model]\narguments = { width = [1] }",
            "model.arguments.width must be a number, text, or true or false, got [1]",
        ),
    ],
)
def test_a_wrong_toml_file_is_refused_with_its_origin_and_the_rule(text, message):
    told = toml_refusal(text)
    assert told.startswith("my.toml: ")
    assert message in told


@pytest.mark.parametrize(
    "text",
    ["epochs", "[training", "a = " + "[" * 5000, "a = " + "9" * 5000, "a = 1\na = 2", "\x00"],
    ids=["no value", "cut off", "nested deep", "a long number", "twice", "binary"],
)
def test_what_is_no_toml_is_refused(text):
    assert toml_refusal(text).startswith("my.toml is not a TOML file: ")


@pytest.mark.parametrize("key", ["training.epochs", "optimizer.learning_rate", "training.seed"])
def test_a_number_too_long_for_a_float_is_refused(key):
    section, name = key.split(".")
    assert f"{key} must be" in toml_refusal(f"[{section}]\n{name} = {'9' * 400}")


@pytest.mark.parametrize(
    ("setting", "key", "value"),
    [
        ("epochs=5", "training.epochs", 5),
        ("epochs=1e3", "training.epochs", 1000),
        ("batch_size = 32", "training.batch_size", 32),
        ("learning_rate=.5", "optimizer.learning_rate", 0.5),
        ("learning_rate=1e-4", "optimizer.learning_rate", 1e-4),
        ("learning_rate=1", "optimizer.learning_rate", 1.0),
        ("precision=bf16", "training.precision", "bf16"),
        ("optimizer=sgd", "optimizer.name", "sgd"),
        ("optimizer.name='sgd'", "optimizer.name", "sgd"),
        ("schedule=cosine", "schedule.name", "cosine"),
        ("model=lenet", "model.network", "lenet"),
        ("network=lenet", "model.network", "lenet"),
        ("seed=9223372036854775807", "training.seed", 2**63 - 1),
        ("model.arguments.width=16", "model.arguments", {"width": 16}),
        ("model.arguments.channels=true", "model.arguments", {"channels": True}),
        ("model.arguments.kind=big", "model.arguments", {"kind": "big"}),
        ("training.class_costs=bad:5,good:.5", "training.class_costs", {"bad": 5.0, "good": 0.5}),
        ("class_costs = 'a b' : 2, c:d:3", "training.class_costs", {"a b": 2.0, "c:d": 3.0}),
        ("training.class_costs.a, b=.5", "training.class_costs", {"a, b": 0.5}),
        ("classes=0, ant ,'bee'", "data.classes", ("0", "ant", "bee")),
        ("freezing=gradual", "finetuning.freezing", "gradual"),
        ("freezing=2", "finetuning.freezing", 2),
        ("lora_rank=4", "finetuning.lora_rank", 4),
        ("finetuning.source=a run = b", "finetuning.source", "a run = b"),
    ],
)
def test_settings_reach_their_field_and_no_other(setting, key, value):
    changed = Recipe().with_settings([setting])
    section, name = key.split(".")
    held = getattr(getattr(changed, section), name)
    assert held == value
    assert type(held) is type(value)
    assert [line.partition(":")[0] for line in recipe_difference(Recipe(), changed)] == [key]


def test_class_costs_come_whole_or_entry_by_entry():
    recipe = Recipe().with_settings({"training.class_costs": {"bad": 5}})
    assert recipe.training.class_costs == {"bad": 5.0}
    more = recipe.with_settings(["training.class_costs.good=2"])
    assert more.training.class_costs == {"bad": 5.0, "good": 2.0}
    assert recipe.with_settings(["class_costs=good:3"]).training.class_costs == {"good": 3.0}
    assert more.with_settings(["class_costs="]).training.class_costs == {}
    assert recipe_from_toml(more.to_toml(), origin="x") == more
    with pytest.raises(ConfigError, match=r"training.class_costs must be a table of numbers"):
        Recipe().with_settings({"training.class_costs": 5})


@pytest.mark.parametrize("text", ["0.5,0.25", "[0.5, 0.25]", "(.5, .25)", "0.5, 0.25,"])
def test_settings_take_lists_of_numbers(text):
    recipe = Recipe().with_settings(["normalization=given", f"mean={text}", f"data.std={text}"])
    assert recipe.data == DataRecipe(normalization="given", mean=(0.5, 0.25), std=(0.5, 0.25))


def test_settings_hold_together_not_one_after_another():
    recipe = Recipe().with_settings(["nesterov=true", "momentum=0.9", "optimizer=sgd"])
    assert recipe.optimizer == OptimizerRecipe(name="sgd", momentum=0.9, nesterov=True)
    assert Recipe().with_settings(["patience=2", "validation_fraction=0.1"]).training.patience == 2


def test_the_last_of_two_equal_settings_counts():
    assert Recipe().with_settings(["epochs=5", "training.epochs=7"]).training.epochs == 7


def test_settings_leave_the_recipe_they_start_from():
    recipe = load_recipe("tutorial-dropout-adam")
    changed = recipe.with_settings(["model.arguments.channels=false"])
    assert recipe.model.arguments["channels"] is True
    assert changed.model.arguments == {"second_relu": True, "channels": False}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("epoch=3", "unknown recipe key 'epoch'; did you mean 'training.epochs'?"),
        ("lerning_rate=3", "did you mean 'optimizer.learning_rate'?"),
        ("optimizer.learnrate=3", "did you mean 'optimizer.learning_rate'?"),
        ("width=3", "unknown recipe key 'width'"),
        ("qqqqqqqq=3", "; `tellapart recipes show` lists all keys"),
        ("epochs", "--set takes KEY=VALUE, got 'epochs'; e.g. epochs=5"),
        ("data=3", "'data' is a section; name a field: data.validation_fraction, "),
        ("model.arguments=3", "set one of its entries: model.arguments.NAME=VALUE"),
        ("model.arguments.=3", "set one of its entries: model.arguments.NAME=VALUE"),
        ("class_costs=3", "must be NAME:NUMBER, with commas between several, got '3'; a name with"),
        ("class_costs=bad:5,bad:6", "training.class_costs has two numbers for 'bad'"),
        ("class_costs=bad:0", "class_costs.bad must be greater than 0, got 0.0"),
        ("class_costs=bad:-1", "class_costs.bad must be greater than 0, got -1.0"),
        ("class_costs=bad:inf", "class_costs.bad must be a finite number"),
        ("class_costs=bad:high", "training.class_costs.bad must be a number, got 'high'"),
        ("training.class_costs.=3", "set one of its entries: training.class_costs.NAME=VALUE"),
        ("name=x", "unknown recipe key 'name'"),
        ("epochs=0", "--set: epochs must be at least 1, got 0"),
        ("epochs=", "training.epochs must be a whole number, got ''"),
        ("epochs=3\nx=4", "training.epochs must be a whole number, got '3\\nx=4'"),
        ("batch_size=abc", "training.batch_size must be a whole number, got 'abc'"),
        ("batch_size=true", "training.batch_size must be a whole number, got True"),
        ("learning_rate=nan", "learning_rate must be a finite number, got nan"),
        ("learning_rate=fast", "optimizer.learning_rate must be a number, got 'fast'"),
        ("learning_rate=0", "learning_rate must be greater than 0, got 0.0"),
        ("l1=1e400", "l1 must be a finite number, got inf"),
        ("nesterov=yes", "optimizer.nesterov must be true or false, got 'yes'"),
        ("precision=fp16", "must be one of auto, fp32, bf16, got 'fp16'"),
        ("mean=0.5,dark", "data.mean must be a number, got 'dark'"),
        ("epochs=" + "[" * 5000, "training.epochs must be a whole number"),
        ("epochs=" + "9" * 5000, "training.epochs must be a whole number"),
    ],
)
def test_a_wrong_setting_is_refused_with_the_rule(setting, message):
    assert message in set_refusal(setting)


def test_a_short_key_with_two_homes_is_ambiguous(monkeypatch):
    shared = dataclasses.make_dataclass(
        "Shared", [("epochs", int, setting(1, "again"))], frozen=True
    )
    monkeypatch.setitem(keys.SECTION_TYPES, "shared", shared)
    monkeypatch.setattr(keys, "SECTIONS", (*keys.SECTIONS, "shared"))
    keys.hints_of.cache_clear()
    told = set_refusal("epochs=3")
    keys.hints_of.cache_clear()
    assert told == "recipe key 'epochs' is ambiguous: training.epochs, shared.epochs"


def test_no_two_sections_share_a_short_key_but_name():
    short = [key.split(".")[1] for key in all_keys()]
    assert {name for name in short if short.count(name) > 1} <= {"name"}


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        (
            ["optimizer=sgd", "nesterov=true"],
            "nesterov needs a momentum above 0; set optimizer.momentum=0.9",
        ),
        (["optimizer=adam", "momentum=0.9"], "momentum belongs to sgd, got 0.9"),
        (["optimizer=adamw", "nesterov=true"], "leave out optimizer.nesterov, or set optimizer."),
        (["optimizer=sgd", "beta1=0.5"], "belongs to adam, adamw, lion, muon, got 0.5"),
        (["optimizer=muon", "momentum=0.95"], "'muon', which takes beta1 and beta2"),
        (["mean=0.5", "std=0.5"], "set data.normalization=given"),
        (["normalization=given"], "needs mean and std with one number per channel each"),
        (["normalization=given", "mean=0.1,0.2", "std=1"], "each, got 2 and 1"),
        (["normalization=given", "mean=0.1", "std=0"], "std must be greater than 0"),
        (["freezing=heads"], "or a whole number, got 'heads'; did you mean 'head'?"),
        (["freezing=true"], "finetuning.freezing must be a word or a whole number, got True"),
        (["freezing=1.5"], "finetuning.freezing must be a word or a whole number, got 1.5"),
        (["lora_rank=0"], "lora_rank must be at least 1, got 0"),
        (["lora_rank=some"], "lora_rank must be none or a whole number, got 'some'"),
        (["lora_rank=2", "freezing=head"], "set finetuning.freezing=all, or finetuning.lora_rank"),
        (["lora_rank=2", "l2_sp=1"], "set finetuning.l2_sp=0, or finetuning.lora_rank=none"),
        (["weights_file=a", "finetuning.source=run"], "a source imagenet or timm:NAME, got 'run'"),
    ],
)
def test_contradictions_are_refused_with_a_remedy(settings_, message):
    assert message in set_refusal(*settings_)


@pytest.mark.parametrize(
    "make",
    [
        lambda: TrainingRecipe(epochs="3"),
        lambda: TrainingRecipe(epochs=1.5),
        lambda: TrainingRecipe(epochs=-1),
        lambda: TrainingRecipe(precision="fp16"),
        lambda: OptimizerRecipe(name="sdg"),
        lambda: OptimizerRecipe(learning_rate=math.nan),
        lambda: OptimizerRecipe(learning_rate=None),
        lambda: ScheduleRecipe(warmup_fraction=1),
        lambda: DataRecipe(mean=0.5),
        lambda: ModelRecipe(network=3),
        lambda: ModelRecipe(arguments={"width": [1]}),
        lambda: Recipe(name=3),
    ],
)
def test_a_recipe_that_breaks_a_rule_cannot_be_made_in_python_either(make):
    assert "must be" in refusal(make)


def test_values_that_mean_the_same_make_equal_recipes():
    ours = DataRecipe(normalization="given", mean=[0, 1], std=[1, 2])
    theirs = DataRecipe(normalization="given", mean=(0.0, 1.0), std=(1.0, 2.0))
    assert ours == theirs
    assert repr(ours) == repr(theirs)


def test_a_difference_names_key_and_both_values():
    left, right = Recipe(), Recipe().with_settings(["epochs=3", "optimizer=sgd"])
    assert recipe_difference(left, left) == []
    assert recipe_difference(left, right) == [
        "training.epochs: 10 -> 3",
        'optimizer.name: "adamw" -> "sgd"',
    ]


def test_another_network_begins_with_its_own_defaults():
    recipe = load_recipe("small-data")
    assert recipe.model.arguments == {"width": 24}
    assert recipe.with_settings(["model.network=lenet"]).model.arguments == {}
    changed = recipe.with_settings(["model.arguments.first=8", "model.network=quick"])
    assert changed.model.arguments == {"first": 8}
    same = recipe.with_settings(["model.network=small-residual", "epochs=1"])
    assert same.model.arguments == {"width": 24}


def test_another_optimizer_begins_without_the_fields_that_it_does_not_take():
    momentum = load_recipe("tutorial-dropout-sgd")
    assert momentum.optimizer.momentum == 0.9
    assert momentum.with_settings(["optimizer=adam"]).optimizer.momentum == 0.0
    betas = load_recipe("fast")
    assert betas.with_settings(["optimizer=lion"]).optimizer.beta1 == betas.optimizer.beta1 != 0.9
    assert betas.with_settings(["optimizer=sgd"]).optimizer.beta1 == 0.9
    # What is asked for in the same breath is not dropped but refused.
    assert "momentum belongs to sgd" in set_refusal(
        "optimizer=adam", "momentum=0.9", recipe=momentum
    )


def test_every_field_of_an_optimizer_names_one_of_the_recipe_and_every_optimizer_has_some():
    known = {entry.name for entry in dataclasses.fields(OptimizerRecipe)}
    assert typing.get_args(OptimizerName) == tuple(OPTIMIZER_FIELDS)
    assert all(own and set(own) <= known for own in OPTIMIZER_FIELDS.values())


def test_values_that_are_given_as_they_are_stay_as_they_are():
    recipe = Recipe().with_settings({"finetuning.source": "my bird's", "epochs": 3})
    assert (recipe.finetuning.source, recipe.training.epochs) == ("my bird's", 3)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("bird's", "bird's"),
        ("birds'", "birds'"),
        ("'quoted'", "quoted"),
        ('"quoted"', "quoted"),
        ("it=is", "it=is"),
    ],
)
def test_a_quote_belongs_to_the_text_unless_it_is_one_of_a_pair(text, value):
    assert Recipe().with_settings([f"finetuning.source={text}"]).finetuning.source == value


def test_settings_have_full_keys_and_the_last_one_counts():
    assert typed_settings(["epochs=3", "training.epochs=4"]) == {"training.epochs": 4}
    assert typed_settings({"optimizer": "sgd"}) == {"optimizer.name": "sgd"}
