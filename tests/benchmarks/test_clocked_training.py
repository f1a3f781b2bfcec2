import re

import pytest
import torch

from clocked_training import repeated, split_of, untrained, warm_trainer
from tellapart.data.image_set import ImageSet
from tellapart.errors import ConfigError


def pictures(count):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (count, 1, 28, 28), generator=generator, dtype=torch.uint8)
    return ImageSet(images, torch.arange(count) % 10, tuple("0123456789"))


@pytest.mark.parametrize(("count", "first_again"), [(3, None), (7, 5), (12, 10)])
def test_images_are_cut_or_repeated(count, first_again):
    few = pictures(5)
    many = repeated(few, count)
    assert len(many) == count
    assert torch.equal(many.labels, torch.arange(count) % 5)
    if first_again:
        assert torch.equal(many.images[first_again], few.images[0])


def test_a_split_holds_as_many_pictures_as_are_asked_for():
    assert len(split_of("mnist-sample", "test", 2500, None)) == 2500


def test_warming_up_leaves_the_first_weights_alone():
    train = pictures(300)
    trainer = warm_trainer("fast", train)
    fresh = untrained("fast", train).state_dict()
    for name, tensor in trainer.classifier.state_dict().items():
        assert torch.equal(tensor, fresh[name]), name
    assert trainer.history == []
    assert trainer.recipe.training.epochs == 1
    assert len(trainer.train) == 300


def test_fewer_pictures_than_a_batch_are_refused():
    message = "batch_size 256 is larger than the train split (100 images)"
    with pytest.raises(ConfigError, match=re.escape(message)):
        warm_trainer("fast", pictures(100))
