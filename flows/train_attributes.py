"""An attribute network from labelled images: crops, training, evaluation."""

from __future__ import annotations

from typing import Any

from prefect import State, flow

from flows.disclosure import do_step
from flows.parameters import ConfigName, TrainingFolderName
from flows.training_runs import TrainingRun, conduct_training, report_progress


def train_all(run: TrainingRun) -> None:
    """Bring crops, network and figures up to date."""
    # PyTorch takes seconds to import; a wrong setting is told before.
    from tasks.attribute_data.loading import load_training_data  # noqa: PLC0415
    from tasks.attribute_evaluation import evaluate_attributes  # noqa: PLC0415
    from tasks.attribute_fitting import describe_data, fit_attributes  # noqa: PLC0415
    from tasks.attribute_recipes import describe_network  # noqa: PLC0415

    settings = run.settings.training
    with report_progress("facetrace-crops", "Face crops") as progress:
        data = do_step("face crops", lambda: load_training_data(run.folder, run.settings, progress=progress))
    described = describe_data(data)
    run.n_ok, run.n_skipped = described.n_used, described.n_skipped
    run.notes += described.lines
    with report_progress("facetrace-training", "Training, of all epochs") as progress:
        run.step(
            f"train {describe_network(settings)}",
            lambda: fit_attributes(run.folder, data, settings, threads=run.settings.run.threads, progress=progress),
        )
    run.step("evaluate", lambda: evaluate_attributes(run.folder, data, settings))


@flow(name="train-attributes", persist_result=False)
def train_attributes(folder: TrainingFolderName, config: ConfigName = "") -> State[Any]:
    """Train an attribute network on the data sets of a training folder and evaluate it; a stopped training goes on.

    Parameters
    ----------
    folder
        Training folder, relative to FACETRACE_STUDIES.
    config
        Settings file, relative to the training folder; empty for its config.yaml.
    """
    return conduct_training("train-attributes", folder, config, train_all)
