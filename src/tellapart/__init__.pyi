# The public names, each listed here once: `__init__.py` reads this file, and so do type checkers.
from tellapart.config.recipe import Recipe as Recipe, load_recipe as load_recipe
from tellapart.data.image_set import DataSet as DataSet, ImageSet as ImageSet
from tellapart.data.sets.sources import load_data_set as load_data_set
from tellapart.errors import TellapartError as TellapartError
from tellapart.evaluation.evaluation import Evaluation as Evaluation
from tellapart.models.checkpoint import (
    load_classifier as load_classifier,
    save_classifier as save_classifier,
)
from tellapart.models.classifier import Classifier as Classifier
from tellapart.data.images.fitted import FittedImage as FittedImage
from tellapart.models.reading import read_image as read_image
from tellapart.models.spec import ClassifierSpec as ClassifierSpec, Normalization as Normalization
from tellapart.runs.callbacks import Callbacks as Callbacks
from tellapart.runs.session import Session as Session
from tellapart.runs.trained_run import TrainedRun as TrainedRun, open_run as open_run
from tellapart.workflow.check import CheckResult as CheckResult, check as check
from tellapart.workflow.evaluate import (
    EvaluationResult as EvaluationResult,
    evaluate as evaluate,
)
from tellapart.workflow.explain import ExplanationResult as ExplanationResult, explain as explain
from tellapart.workflow.finetune import compare as compare, finetune as finetune
from tellapart.workflow.predict import Prediction as Prediction, predict as predict
from tellapart.workflow.prepare import PreparationResult as PreparationResult, prepare as prepare
from tellapart.workflow.reproduce import reproduce as reproduce
from tellapart.workflow.show import (
    show_activation as show_activation,
    show_convolution as show_convolution,
    show_network as show_network,
    show_pooling as show_pooling,
)
from tellapart.workflow.train import train as train
from tellapart.workflow.training_result import TrainingResult as TrainingResult

__version__: str
