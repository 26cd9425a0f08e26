"""Settings of the training of an attribute network."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tasks.settings_section import Count, Positive, Section

TaskName = Literal["expression", "aus", "valence", "arousal"]


class TrainingSource(Section):
    """A data set that an attribute network learns from."""

    name: str
    """Name, as checkpoints and model cards print it."""
    format: Literal["affectnet", "affectnet8", "emotionet", "table"]
    """affectnet: the manual CSV lists. affectnet8: the later release, a .npy file for each label of an image. emotionet: annotation
    text with 0, 1 and 999. table: a CSV with image, AU01 ..., expression, valence, arousal."""
    labels: str
    """File or folder of the labels, relative to the training folder."""
    images: str
    """Folder of the images, relative to the training folder."""


class TrainingSettings(Section):
    """Training of an attribute network (Li et al. 2019), for `facetrace train-attributes`; a study does not read it."""

    data: tuple[TrainingSource, ...] = ()
    """Data sets, each {name, format, labels, images}; batches mix them."""
    crops: Literal["detector", "boxes"] = "detector"
    """detector: faces are found and aligned as in extraction. boxes: cut by the data set's boxes, each side
    enlarged by 0.3 of the box."""
    unit: Literal["bottleneck", "mobilenet", "eesp"] = "eesp"
    """Convolutional unit."""
    scale: Positive = 2.0
    """Width scale; the paper's 2."""
    input_size: Annotated[int, Field(ge=32, le=512)] = 224
    """Pixels of a side of the crop."""
    tasks: tuple[TaskName, ...] = ("expression", "aus", "valence", "arousal")
    """What the network learns; one name for a single-task network."""
    epochs: Count = 30
    """Passes over the training images; the paper's 30."""
    batch_size: Annotated[int, Field(ge=2)] = 128
    """Images a step; not stated in the paper."""
    learning_rate: Positive = 0.01
    """Of stochastic gradient descent with momentum 0.9; the paper's 0.01."""
    learning_rate_decay: Annotated[float, Field(gt=0, le=1)] = 0.95
    """Factor of the learning rate after each epoch; the paper's 0.95."""
    weight_decay: Annotated[float, Field(ge=0)] = 4e-5
    """L2 penalty; not stated in the paper."""
    class_weights: bool = True
    """Inverse class probability weights, as in the paper."""
    regression_bins: Annotated[int, Field(ge=0)] = 20
    """Equal intervals of [-1, 1] by which valence and arousal are weighted; 0 for no weights. The paper does not say how."""
    augmentation: Literal["published", "none"] = "published"
    """published: flip, crop, rotation and shear."""
    workers: Annotated[int, Field(ge=0, le=64)] = 2
    """Processes that prepare batches; 0 for none beside the training itself."""
    mixed_precision: bool = True
    """Half precision where a GPU is used; the CPU always computes in single precision."""
    early_stopping_epochs: Annotated[int, Field(ge=0)] = 0
    """Epochs without a lower validation loss after which training ends; 0 for never."""
    bootstrap_samples: Annotated[int, Field(ge=100)] = 1000
    """Resamples of test images behind the intervals of the evaluation."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the network is trained; auto takes a GPU where there is one."""
    seed: Annotated[int, Field(ge=0)] = 2019
    """Seed of weights, order and augmentation."""

    @model_validator(mode="after")
    def _names_are_several(self) -> Self:
        names = [source.name for source in self.data]
        if len(set(names)) != len(names):
            raise ValueError(f"training.data names {', '.join(sorted(names))}; give each data set a name of its own")
        if not self.tasks:
            raise ValueError("training.tasks is empty; name at least one of expression, aus, valence, arousal")
        return self
