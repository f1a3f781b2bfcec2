"""The package offers exactly the names of its index, and each of them exists."""

import importlib
import inspect
import re

import pytest

import tellapart
from tellapart import errors


def test_the_index_is_sorted_and_shown():
    assert list(tellapart.__all__) == sorted(set(tellapart.__all__))
    assert set(dir(tellapart)) >= set(tellapart.__all__)


@pytest.mark.parametrize("name", tellapart.__all__)
def test_every_public_name_is_there_documented_and_lives_where_the_index_says(name):
    found = getattr(tellapart, name)
    assert found.__module__ == tellapart._MODULE_OF[name]
    assert found.__name__ == name
    assert inspect.getdoc(found)


def test_a_star_import_gives_exactly_the_index():
    names = {}
    exec("from tellapart import *", names)
    assert names.keys() - {"__builtins__"} == set(tellapart.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'tellapart' has no attribute 'trian'"):
        tellapart.trian  # noqa: B018


def test_the_version_is_plain():
    assert re.fullmatch(r"\d+\.\d+\.\d+", tellapart.__version__)


def error_classes():
    return {
        name: thing
        for name, thing in vars(errors).items()
        if inspect.isclass(thing) and issubclass(thing, Exception)
    }


def test_the_tree_of_errors_is_drawn_as_it_is():
    drawn = re.findall(r"^ {4}(?:[├└]── )?(\w+)  ", errors.__doc__, re.MULTILINE)
    assert drawn[0] == "TellapartError"
    assert sorted(drawn) == sorted(error_classes())
    for name, error in error_classes().items():
        assert error.__doc__, name
        assert name == "TellapartError" or errors.TellapartError in error.__bases__


def test_a_shape_error_is_a_value_error_as_drawn():
    also = [n for n, e in error_classes().items() if issubclass(e, ValueError)]
    assert also == ["ShapeError"]
    assert "(also a ValueError)" in errors.__doc__


def test_every_module_imports():
    import pkgutil

    walked = [
        module.name
        for module in pkgutil.walk_packages(tellapart.__path__, "tellapart.")
        if module.name != "tellapart.__main__"
    ]
    assert len(walked) > 30
    for name in walked:
        importlib.import_module(name)
