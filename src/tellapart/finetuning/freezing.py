"""Which weights of a trained network are trained in each epoch, and at what rates."""

from __future__ import annotations

import torch
from torch import nn

from tellapart.config import FinetuningRecipe
from tellapart.errors import ConfigError
from tellapart.finetuning.lora import add_lora, lora_parameters, merge_lora
from tellapart.finetuning.stages import Stage, feature_stages, output_layer

# Rounding error of a quotient that is a whole number in exact arithmetic.
_ROUNDING = 1e-9


class FineTuning:
    """Freezes and unfreezes a network's stages, and penalises distance from its initial weights.

    A frozen stage gets no gradient, so the optimizer leaves it alone, weight decay included; its
    layers are in evaluation mode, so norms keep their statistics and dropout drops nothing. Which
    stages are frozen is a function of the epoch.

    Args:
        network: as it was loaded, with its new output layer; with LoRA it is changed in place.
        recipe: which stages are trained, and how.
        num_epochs: the number of epochs of the whole run.
        seed: for the initial weights of LoRA.

    Raises:
        ConfigError: a network without an output layer, more stages to freeze than there are, or a
            rank that does not fit.
    """

    def __init__(
        self, network: nn.Module, recipe: FinetuningRecipe, *, num_epochs: int, seed: int
    ) -> None:
        self.network = network
        self.recipe = recipe
        self.num_epochs = num_epochs
        self.stages = feature_stages(network)
        if isinstance(recipe.freezing, int) and recipe.freezing > len(self.stages):
            raise ConfigError(
                f"freezing {recipe.freezing} asks for more stages than the {len(self.stages)} of "
                f"this network ({', '.join(stage.name for stage in self.stages)}); "
                "set finetuning.freezing to at most that"
            )
        if isinstance(recipe.lora_rank, int):
            add_lora(network, recipe.lora_rank, seed)
        self._held = self._anchors() if recipe.l2_sp else []
        self.begin(num_epochs)  # all that is ever trained: what the optimizer is built over

    @property
    def fraction_trained(self) -> float:
        """The fraction of the network's weights, with those of LoRA, that is ever trained."""
        frozen = self.num_frozen(self.num_epochs)
        trained = list(output_layer(self.network).parameters())
        for stage in self.stages[frozen:]:
            trained += self._trainable(stage)
        total = sum(weight.numel() for weight in self.network.parameters())
        return sum(weight.numel() for weight in trained) / total

    def num_frozen(self, epoch: int) -> int:
        """Return how many of the first stages are frozen in ``epoch``, counted from 1."""
        freezing, count = self.recipe.freezing, len(self.stages)
        if isinstance(freezing, int):
            return freezing
        if freezing != "gradual":
            return count if freezing == "head" else 0
        # Evenly spread from the head alone to all stages; a single epoch trains all.
        if epoch == self.num_epochs:
            return 0
        progress = (epoch - 1) / (self.recipe.unfreezing_fraction * (self.num_epochs - 1))
        return max(0, count - int(progress * count + _ROUNDING))

    def begin(self, epoch: int) -> None:
        """Freezes the stages of ``epoch``; call it with the network in training mode."""
        frozen = self.num_frozen(epoch)
        self.network.requires_grad_(False)
        output_layer(self.network).requires_grad_(True)
        for number, stage in enumerate(self.stages):
            is_frozen = number < frozen
            for weight in [] if is_frozen else self._trainable(stage):
                weight.requires_grad_(True)
            if is_frozen:
                stage.train(False)
            elif self.recipe.norm_statistics == "source" or self._has_lora:
                _keep_statistics(stage)

    def rate_factors(self) -> dict[str, float]:
        """Return the factor of the learning rate of each weight, by its name."""
        factors = {
            id(weight): self.recipe.layer_decay**depth
            for depth, stage in enumerate(reversed(self.stages))
            for weight in stage.parameters()
        }
        return {
            name: factors.get(id(weight), self.recipe.head_rate)
            for name, weight in self.network.named_parameters()
        }

    def undecayed(self) -> set[str]:
        """Return the names of weights that are pulled to the source, and so get no weight decay."""
        held = {id(weight) for weight, _ in self._held}
        return {name for name, weight in self.network.named_parameters() if id(weight) in held}

    def penalty(self) -> torch.Tensor:
        """``l2_sp / 2 * sum((w - w_source)^2)`` over all weights that are trained now.

        Source: Li et al., "Explicit Inductive Bias for Transfer Learning", 2018, section 3.
        """
        terms = [
            (weight - start).square().sum() for weight, start in self._held if weight.requires_grad
        ]
        if not terms:
            return torch.zeros((), device=next(self.network.parameters()).device)
        return self.recipe.l2_sp / 2 * torch.stack(terms).sum()

    def finish(self) -> None:
        """Merges LoRA into the weights and unfreezes all stages."""
        merge_lora(self.network)
        self.network.requires_grad_(True)

    @property
    def _has_lora(self) -> bool:
        return self.recipe.lora_rank != "none"

    def _trainable(self, stage: Stage) -> list[nn.Parameter]:
        """The trained weights of an unfrozen stage; with LoRA only its low-rank changes."""
        if not self._has_lora:
            return list(stage.parameters())
        return [weight for module in stage.modules for weight in lora_parameters(module)]

    def _anchors(self) -> list[tuple[nn.Parameter, torch.Tensor]]:
        """Each weight that may change, with a copy of its initial value; none with LoRA."""
        weights = [weight for stage in self.stages for weight in self._trainable(stage)]
        if self._has_lora:
            return []
        return [(weight, weight.detach().clone()) for weight in weights]


def _keep_statistics(stage: Stage) -> None:
    """Puts the batch norms of a stage into evaluation mode."""
    for module in (part for top in stage.modules for part in top.modules()):
        if getattr(module, "running_mean", None) is not None:
            module.eval()
