"""A fabricated study with the tables that a real one would hold: 24 participants, one failed, one under the coverage gate."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from features import facs, frame_table, vector_58
from tasks.manifest import Outcome
from tasks.reports import GroupReportInputs, ParticipantReportInputs, ReportFacts, SessionRecord
from tasks.reports.inputs import count_invalid_reasons

EMOTIONS = ("happy", "sad", "surprise", "fear", "disgust", "anger")
FAILED, EXCLUDED = "ASD05", "TD09"
CLASSIFIERS = ("logistic", "lasso", "lda", "qda", "svm_rbf", "xgboost", "neural_network")

FACTS = ReportFacts(
    study_name="Rendered demonstration",
    created="2026-11-21 03:40 UTC",
    software_version="0.1.0",
    demo_weights=True,
    rendered_data=True,
)


def make_participants() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    ids = [f"{group}{index:02d}" for group in ("ASD", "TD") for index in range(1, 13)]
    return pd.DataFrame(
        {
            "participant_id": ids,
            "group": [name[:-2] for name in ids],
            "age": rng.integers(36, 84, len(ids)) / 12,
            "sex": rng.choice(["F", "M"], len(ids)),
        }
    )


def make_events() -> pd.DataFrame:
    onsets = 4.0 + 7.0 * np.arange(len(EMOTIONS))
    return pd.DataFrame(
        {
            "onset": onsets,
            "duration": 6.0,
            "trial_type": EMOTIONS,
            "stim_id": [f"clip{i:02d}" for i in range(len(EMOTIONS))],
        }
    )


def make_frames(
    participant_id: str, *, seconds: float = 48.0, rate: float = 25.0, seed: int | None = None
) -> pd.DataFrame:
    """A frame table as extraction writes it: smooth signals, a few gaps with different reasons."""
    rng = np.random.default_rng(sum(map(ord, participant_id)) if seed is None else seed)
    n = int(seconds * rate)
    frames = frame_table.empty_rows(n)
    frames["participant_id"] = participant_id
    frames["task"] = "clips"
    frames["frame"] = np.arange(n, dtype=np.int32)
    frames["time_s"] = np.arange(n) / rate
    reason = np.full(n, "ok", dtype=object)
    lost = 0.65 if participant_id == EXCLUDED else rng.uniform(0.01, 0.18)
    while (reason != "ok").mean() < lost:
        start, length = rng.integers(0, n), rng.integers(5, 60)
        name = rng.choice(
            ["no_face", "extreme_pose", "not_target", "low_score", "blurred"], p=[0.5, 0.25, 0.1, 0.1, 0.05]
        )
        reason[start : start + length] = name
    valid = reason == "ok"
    frames["valid"] = valid
    frames["invalid_reason"] = pd.array(reason.astype(str), dtype="str")
    frames["n_faces"] = np.where(reason == "no_face", 0, 1).astype(np.int32)
    fill_signals(frames, rng, blunted=participant_id.startswith("ASD"))
    seen = (reason != "no_face") & (reason != "decode_error")
    frames["face_score"] = np.where(seen, 0.98, np.nan).astype(np.float32)
    time = frames["time_s"].to_numpy()
    for name, spread in zip(frame_table.POSE, (12, 7, 4), strict=True):
        angle = spread * np.sin(time * rng.uniform(0.2, 0.6) + rng.uniform(0, 6)) + rng.normal(0, 0.6, n)
        angle = np.where((reason == "extreme_pose") & (name == "yaw_deg"), 66 + rng.normal(0, 2, n), angle)
        frames[name] = np.where(seen, angle, np.nan).astype(np.float32)
    return frames


def fill_signals(frames: pd.DataFrame, rng: np.random.Generator, *, blunted: bool) -> None:
    time = frames["time_s"].to_numpy()
    valid = frames["valid"].to_numpy()
    gain = (0.7 if blunted else 0.8) * rng.uniform(0.6, 1.4)
    bump = {
        row.trial_type: np.clip(np.sin(np.pi * (time - row.onset) / row.duration), 0, None)
        * ((time >= row.onset) & (time < row.onset + row.duration))
        for row in make_events().itertuples()
    }
    drivers = {
        "AU06": "happy",
        "AU12": "happy",
        "AU04": "anger",
        "AU01": "surprise",
        "AU02": "surprise",
        "AU09": "disgust",
    }
    drivers |= {"AU26": "surprise", "AU25": "happy", "AU20": "fear", "AU17": "sad", "AU05": "fear", "AU43": "sad"}
    for au in facs.EMOTIONET_AUS:
        probability = 0.08 + gain * bump[drivers[au]] + rng.normal(0, 0.03, len(time))
        frames[au] = np.where(valid, np.clip(probability, 0, 1), np.nan).astype(np.float32)
    logits = np.stack(
        [np.full(len(time), 1.5), *(4 * gain * bump.get(name, np.zeros(len(time))) for name in facs.EXPRESSIONS[1:])],
        axis=1,
    )
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for name, column in zip(facs.EXPRESSION_COLUMNS, softmax.T, strict=True):
        frames[name] = np.where(valid, column, np.nan).astype(np.float32)
    arousal = np.clip(-0.1 + gain * (bump["surprise"] + bump["fear"]) + rng.normal(0, 0.04, len(time)), -1, 1)
    valence = np.clip(
        0.05 + gain * (bump["happy"] - bump["sad"] - bump["anger"]) + rng.normal(0, 0.04, len(time)), -1, 1
    )
    frames["arousal"] = np.where(valid, arousal, np.nan).astype(np.float32)
    frames["valence"] = np.where(valid, valence, np.nan).astype(np.float32)


def make_features(participants: pd.DataFrame, frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    rows = []
    for person in participants.to_dict("records"):
        if person["participant_id"] not in frames:
            continue
        table = frames[person["participant_id"]]
        coverage = dataclasses.asdict(vector_58.coverage(table))
        included = coverage["valid_fraction"] >= 0.5
        reason = "" if included else f"valid_fraction {coverage['valid_fraction']:.2f} < 0.50"
        keys = {"session": "", "task": "clips", "included": included, "exclusion_reason": reason}
        rows.append(person | keys | coverage | vector_58.participant_vector(table).to_dict())
    return pd.DataFrame(rows)


def make_predictions(features: pd.DataFrame) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    used = features[features["included"]]
    rows = []
    for feature_set in vector_58.FEATURE_SETS:
        for classifier in CLASSIFIERS:
            score = np.where(used["group"] == "ASD", 0.7, -0.7) + rng.normal(0, 1.1, len(used))
            rows += [
                {
                    "feature_set": feature_set,
                    "classifier": classifier,
                    "participant_id": row.participant_id,
                    "truth": row.group,
                    "prediction": "ASD" if value > 0 else "TD",
                    "score": value,
                }
                for row, value in zip(used.itertuples(), score, strict=True)
            ]
    return pd.DataFrame(rows)


def make_performance(predictions: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for (feature_set, classifier), part in predictions.groupby(["feature_set", "classifier"], sort=False):
        truth, guess = part["truth"] == "ASD", part["prediction"] == "ASD"
        tp, fp, tn, fn = (int(x.sum()) for x in (truth & guess, ~truth & guess, ~truth & ~guess, truth & ~guess))
        above = part.loc[truth, "score"].to_numpy()[:, None] > part.loc[~truth, "score"].to_numpy()[None, :]
        mcc = (tp * tn - fp * fn) / np.sqrt(float((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)))
        metrics = {
            "f1": 2 * tp / (2 * tp + fp + fn),
            "sensitivity": tp / (tp + fn),
            "specificity": tn / (tn + fp),
            "accuracy": (tp + tn) / len(part),
            "auc": above.mean(),
            "mcc": mcc,
        }
        row = {
            "feature_set": feature_set,
            "n_features": len(vector_58.FEATURE_SETS[feature_set]),
            "classifier": classifier,
            "n": len(part),
            "n_positive": int(truth.sum()),
            "n_negative": int((~truth).sum()),
            "tp": tp,
            "fp": fp,
            "tn": tn,
            "fn": fn,
        }
        for name, value in metrics.items():
            half = 0.38 if name == "mcc" else 0.19
            row |= {
                name: value,
                f"{name}_low": max(value - half, -1 if name == "mcc" else 0),
                f"{name}_high": min(value + half, 1),
            }
        permuted = feature_set == "all"
        row["p_permutation"] = max(1 / 201, (1 - metrics["f1"]) / 3) if permuted else np.nan
        row["n_permutations"] = 200 if permuted else 0
        row["p_smallest"] = 1 / 201 if permuted else np.nan
        rows.append(row)
    return pd.DataFrame(rows)


def make_attribute_tests() -> pd.DataFrame:
    rows = [
        ("AU", -0.21, 0.20, -1.44, 0.165, 0.220, -0.60, -1.44, 0.25),
        ("arousal", -0.42, 0.40, -3.10, 0.0056, 0.0112, -1.29, -2.20, -0.38),
        ("valence", -0.47, 0.45, -3.61, 0.0017, 0.0068, -1.50, -2.44, -0.56),
        ("expression", 0.03, -0.03, 0.20, 0.845, 0.845, 0.08, -0.75, 0.91),
    ]
    names = ["attribute_group", "mean_a", "mean_b", "t", "p", "p_bh", "hedges_g", "ci_low", "ci_high"]
    table = pd.DataFrame(rows, columns=names)
    return table.assign(group_a="ASD", group_b="TD", n_a=11, n_b=11, df=20.0, note="")


def make_emotion_tests() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    rows = []
    for emotion in EMOTIONS:
        for signal in facs.EMOTIONET_AUS:
            effect = float(
                np.clip(rng.normal(-0.5 if (emotion, signal) == ("happy", "AU12") else -0.05, 0.28), -0.95, 0.95)
            )
            p = float(np.clip(np.exp(-9 * effect**2), 1e-4, 1))
            rows.append(
                {
                    "emotion": emotion,
                    "signal": signal,
                    "group_a": "ASD",
                    "group_b": "TD",
                    "n_a": 11,
                    "n_b": 11,
                    "mean_a": 0.2 + effect / 10,
                    "mean_b": 0.2,
                    "u": 60.5 * (1 + effect),
                    "z": -abs(effect) * 3,
                    "z_signed": effect * 3,
                    "p": p,
                    "p_bh": min(1.0, 3 * p),
                    "p_bh_all": min(1.0, 8 * p),
                    "rank_biserial": effect,
                    "ci_low": max(-1.0, effect - 0.4),
                    "ci_high": min(1.0, effect + 0.4),
                    "note": "",
                }
            )
    rows[7] |= dict.fromkeys(
        ("u", "z", "z_signed", "p", "p_bh", "p_bh_all", "rank_biserial", "ci_low", "ci_high"), np.nan
    )
    rows[7] |= {"n_a": 2, "note": "2 participants of ASD, 3 are needed"}
    return pd.DataFrame(rows)


def make_triage(participants: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for name in participants["participant_id"]:
        failed = name == FAILED
        rows.append(
            {
                "participant_id": name,
                "session": "",
                "task": "clips",
                "video": f"sub-{name}/beh/sub-{name}_task-clips_recording-face_video.mp4",
                "status": "failed" if failed else "ok",
                "problem": "The file ends after 1 200 of 48 211 bytes; no frame can be decoded" if failed else "",
                "codec": "" if failed else "h264",
                "width": 0 if failed else 640,
                "height": 0 if failed else 480,
                "rotation_deg": 0,
                "rate": "" if failed else ("variable" if name == "TD03" else "constant"),
                "mean_fps": np.nan if failed else 25.0,
                "header_frames": 0 if failed else 1200,
                "packet_frames": 0 if failed else 1200,
                "duration_s": np.nan if failed else 48.0,
                "size_bytes": 1_200 if failed else 2_400_000,
                "sha256": "ab" * 32,
            }
        )
    return pd.DataFrame(rows)


def make_planted() -> pd.DataFrame:
    names = ["effect", "description", "statistic", "planted", "estimate", "ci_low", "ci_high", "p", "recovered"]
    smile = "fraction of frames of the joy segment with AU12 >= 0.5"
    rows = [
        ("joy_smile", "children with ASD smile for less of the joy clip", smile, -0.24, -0.19, -0.33, -0.05, 0.0098, True),
        ("positive_valence", "children with ASD show positive valence for less of the session",
         "fraction of frames of the session with valence >= 0", -0.15, -0.17, -0.27, -0.07, 0.0021, True),
        ("baseline_frown", "children with ASD lower the brows for more of the baseline",
         "fraction of frames of the baseline segment with AU04 >= 0.5", 0.2, 0.04, -0.07, 0.15, 0.46, False),
        ("lip_stretch", "control: no difference in stretched lips",
         "fraction of frames of the session with AU20 >= 0.5", 0.0, 0.01, -0.04, 0.06, 0.69, True),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=names).assign(n_a=11, n_b=11)


def make_combinations() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Complexity by group and emotion, and tests of it."""
    rows = [
        {"group": group, "emotion": emotion, "directions": False, "complexity": complexity, "n_types": types,
         "n_frames": 100 - 20 * complexity, "expected_types": types - 0.5, "ci_low": types - 1.5, "ci_high": types + 0.5}
        for emotion in EMOTIONS
        for group, shift in (("ASD", 0), ("TD", 3))
        for complexity, types in ((0, 1), (1, 5 + shift), (2, 9 + shift), (3, 2 + shift))
    ]  # fmt: skip
    tests = [
        {"emotion": emotion, "directions": False, "measure": measure, "n_a": 11, "n_b": 11, "mean_a": 1.2, "mean_b": 1.6,
         "z_signed": -2.0, "p": 0.046, "p_bh": 0.03 if emotion == "happy" else 0.2, "rank_biserial": -0.4, "ci_low": -0.7,
         "ci_high": 0.1, "note": ""}
        for emotion in EMOTIONS
        for measure in ("mean_complexity", "max_complexity", "rarefied_types")
    ]  # fmt: skip
    return pd.DataFrame(rows), pd.DataFrame(tests)


def make_quality(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Recordings alike but for one that is dark."""
    rng = np.random.default_rng(11)
    rows = [
        {"participant_id": name, "session": "", "task": "clips", "frames_per_s": 25.0, "face_px": 180 + rng.normal(0, 5),
         "face_score": 0.98, "sharpness": 90 + rng.normal(0, 4), "brightness": 30.0 if name == "TD05" else 120 + rng.normal(0, 5),
         "turn_deg": 8 + rng.normal(0, 1)}
        for name in frames
    ]  # fmt: skip
    return pd.DataFrame(rows)


def make_group_inputs(facts: ReportFacts = FACTS) -> GroupReportInputs:
    participants = make_participants()
    frames = {name: make_frames(name) for name in participants["participant_id"] if name != FAILED}
    features = make_features(participants, frames)
    predictions = make_predictions(features)
    combinations, combination_tests = make_combinations()
    outcomes = [
        Outcome(
            name, "", "clips", "failed" if name == FAILED else "ok", "No frame can be decoded" if name == FAILED else ""
        )
        for name in participants["participant_id"]
    ]
    return GroupReportInputs(
        facts=facts,
        participants=participants,
        triage=make_triage(participants),
        invalid_reasons=pd.concat([count_invalid_reasons(table) for table in frames.values()], ignore_index=True),
        features=features,
        performance=make_performance(predictions),
        predictions=predictions,
        attribute_tests=make_attribute_tests(),
        emotion_tests=make_emotion_tests(),
        combinations=combinations,
        combination_tests=combination_tests,
        quality=make_quality(frames),
        comparison_link="group/comparison.html",
        figure_links=[("Flow of participants", [("SVG", "group/figures/flow.svg"), ("PDF", "group/figures/flow.pdf")])],
        planted_effects=make_planted(),
        outcomes=outcomes,
        report_links={name: f"sub-{name}.html" for name in participants["participant_id"]},
        settings={
            "study": {"name": "Rendered demonstration", "positive_group": "ASD", "tasks": []},
            "detection": {"weights": "demo-retinaface", "width": 640, "confidence": 0.7},
            "classify": {"permutations": 200, "seed": 20190922},
        },
        versions={"python": "3.11.2", "facetrace": "0.1.0", "torch": "2.15.0"},
        weights=pd.DataFrame(
            {
                "name": ["demo-retinaface", "demo-attributes"],
                "sha256": ["1f" * 32, "2e" * 32],
                "licence": ["MIT", "MIT"],
                "intended_use": ["rendered faces only", "rendered faces only"],
            }
        ),
        detector="demo-retinaface",
    )


def make_participant_inputs(
    participant_id: str = "ASD03", cohort: pd.DataFrame | None = None
) -> ParticipantReportInputs:
    participants = make_participants()
    triage = make_triage(participants).set_index("participant_id", drop=False)
    failed = participant_id == FAILED
    record = SessionRecord(
        task="clips",
        frames=None if failed else make_frames(participant_id),
        problem="No frame can be decoded" if failed else "",
        events=make_events(),
        triage=triage.loc[participant_id].to_dict(),
        facts={}
        if failed
        else {
            "reader": "pyav",
            "reader_notes": ["decord repeated 41 frames; PyAV was used"],
            "frame_size": [640, 480],
            "target_switches": [{"frame": 410, "time_s": 16.4, "reason": "reappeared after 2.1 s"}],
        },
    )
    return ParticipantReportInputs(
        facts=FACTS,
        participant_id=participant_id,
        group=participant_id[:-2],
        sessions=(record,),
        covariates={"age": 4.5, "sex": "F"},
        cohort=cohort,
    )


@pytest.fixture(scope="session")
def group_inputs() -> GroupReportInputs:
    """A complete study."""
    return make_group_inputs()


@pytest.fixture(scope="session")
def participant_inputs(group_inputs: GroupReportInputs) -> ParticipantReportInputs:
    """A participant with gaps, a change of the tracked face and a fallback reader."""
    return make_participant_inputs(cohort=group_inputs.features)


@pytest.fixture(scope="session")
def failed_inputs(group_inputs: GroupReportInputs) -> ParticipantReportInputs:
    """The participant whose recording could not be decoded."""
    return make_participant_inputs(FAILED, cohort=group_inputs.features)
