import pytest
import torch

from peers import PEERS, adadelta, example_network, lower_rate, run


def test_the_examples_network_has_the_examples_size():
    network = example_network()
    assert sum(weight.numel() for weight in network.parameters()) == 1_199_882
    assert network(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_the_example_is_trained_as_its_authors_have_it():
    peer = PEERS["pytorch-example"]
    assert (peer.training.batch_size, peer.training.epochs) == (64, 14)
    assert (peer.rate_factor, peer.shuffles_on_cpu) == (0.7, False)
    optimizer = peer.training.make_optimizer(example_network())
    assert isinstance(optimizer, torch.optim.Adadelta)
    assert optimizer.defaults["lr"] == 1.0


def test_the_rate_falls_as_steplr_lowers_it():
    ours, torchs = (adadelta(torch.nn.Linear(2, 1)) for _ in range(2))
    schedule = torch.optim.lr_scheduler.StepLR(torchs, step_size=1, gamma=0.7)
    for _ in range(4):
        torchs.step()
        schedule.step()
        lower_rate(ours, 0.7)
        assert ours.param_groups[0]["lr"] == pytest.approx(torchs.param_groups[0]["lr"])


@pytest.mark.slow
def test_reading_the_test_split_changes_nothing_that_training_draws():
    once = run("tutorial-loop", 0, "mnist-sample", None, epochs=1)
    twice = run("tutorial-loop", 0, "mnist-sample", None, epochs=2)
    again = run("tutorial-loop", 0, "mnist-sample", None, epochs=2)
    assert twice["test_accuracy_per_epoch"][0] == once["test_accuracy"] > 0.8
    assert twice["test_accuracy_per_epoch"] == again["test_accuracy_per_epoch"]
    assert len(twice["seconds_per_epoch"]) == 2
    assert twice["train_seconds"] == sum(twice["seconds_per_epoch"])
