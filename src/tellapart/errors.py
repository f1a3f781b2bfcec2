"""Every error that tellapart raises on purpose.

::

    TellapartError              something in the request or its input is wrong: exit code 2
    ├── ConfigError             a recipe, a key or a value
    ├── DataError               a data set, one of its files, an image
    ├── ShapeError              a tensor of the wrong shape or type (also a ValueError)
    ├── ClassifierFileError     a classifier file that is damaged, malicious or not ours
    ├── RunError                a run folder: missing, in use, not writable, not matching
    ├── DeviceError             a device or precision that this machine does not have
    └── DivergedError           training produced a loss that is not finite

In one or two lines, a message names the subject, the rule, the value that broke it and the remedy.
"""


class TellapartError(Exception):
    """The request or its input is wrong; the message says what to do.

    >>> import tellapart
    >>> try:
    ...     tellapart.load_data_set("mnits")
    ... except tellapart.TellapartError as error:
    ...     print(type(error).__name__)
    DataError
    """


class ConfigError(TellapartError):
    """A recipe, a key in it or a value is wrong."""


class DataError(TellapartError):
    """A data set, one of its files or an image cannot be used."""


class ShapeError(TellapartError, ValueError):
    """A tensor has the wrong shape or type."""


class ClassifierFileError(TellapartError):
    """A classifier file is damaged, malicious or was not written by tellapart."""


class RunError(TellapartError):
    """A run folder is missing, in use, not writable, or does not match the request."""


class DeviceError(TellapartError):
    """A device or a precision is not available on this machine."""


class DivergedError(TellapartError):
    """Training produced a loss that is not finite."""
