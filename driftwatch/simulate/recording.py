"""A simulation as the files and batches that a real deployment would have left behind."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from driftwatch.events.columns import Coded, Floats, Markers, Metrics, Requests, requests_of
from driftwatch.events.identity import hash_strings
from driftwatch.simulate.answers import Said
from driftwatch.simulate.case import Case, sample_of
from driftwatch.simulate.columns import ABORT, FINISHES, Ints
from driftwatch.simulate.exposition import metrics_of, write_openmetrics
from driftwatch.simulate.pods import deployed, exposed, pods_of
from driftwatch.simulate.scrapes import Sampled
from driftwatch.simulate.service import Run
from driftwatch.simulate.spoiling import FAULTS, spoil
from driftwatch.simulate.truth import truth_of


@dataclass(frozen=True)
class Recorded:
    """What a simulated deployment left behind.

    Parameters
    ----------
    case
        What was simulated.
    run, healthy
        What happened, and what would have happened without the fault.
    scrape_s
        How often metrics are scraped, in seconds.
    """

    case: Case
    run: Run
    healthy: Run
    scrape_s: float

    @cached_property
    def requests(self) -> Requests:
        """Request rows in order of completion; what has not ended by the end of the recording comes last."""
        run, outcomes = self.run, self.run.outcomes
        ended = self._ended
        ids = self._ids()
        numbers: dict[str, Floats] = {
            "started_at": run.traffic.at - run.network_s / 2,
            "completed_at": np.where(ended, outcomes.completed_at + run.network_s / 2, np.nan),
            "prompt_tokens": run.traffic.prompt_tokens.astype(np.float64),
            "output_tokens": np.where(ended, outcomes.generated, np.nan),
            "cached_tokens": np.where(ended, outcomes.cached_tokens, np.nan),
            "ttft": np.where(ended, run.ttft(), np.nan),
            "latency": np.where(ended, run.latency(), np.nan),
            "itl": np.where(ended, run.itl(), np.nan),
            "queue_time": np.where(ended, outcomes.scheduled_at - run.traffic.at, np.nan),
        }
        numbers = {name: np.round(values, 6) for name, values in numbers.items()}
        finish = np.where(ended, outcomes.finish, -1).astype(np.int32)
        batch = requests_of(
            len(run.traffic),
            **numbers,
            id_hash=hash_strings(ids),
            finish_reason=Coded(finish, FINISHES),
            labels={**run.traffic.labels, "replica": pods_of(self.case, run)},
        )
        return batch.take(self._order)

    @cached_property
    def series(self) -> list[Sampled]:
        """All series that are scraped."""
        return exposed(self.case, self.run, self.scrape_s)

    @property
    def metrics(self) -> Metrics:
        """The samples of all series that the catalogue knows, in order of time."""
        return metrics_of(self.series)

    @property
    def markers(self) -> Markers:
        """What people did."""
        rows = deployed(self.case)
        at, kinds, texts, labels = zip(*rows, strict=True) if rows else ((), (), (), ())
        return Markers(np.array(at, np.float64), tuple(kinds), tuple(texts), tuple(labels))

    @cached_property
    def spoilt(self) -> np.ndarray:
        """Whose answers went wrong, a mask in the order of the traffic, shape (n,)."""
        return spoilt(self.case, self.run)

    @property
    def truth(self) -> dict[str, Any]:
        """What is true about it."""
        return truth_of(self.case, self.run, self.healthy, self.spoilt)

    def write(self, folder: str | Path) -> Path:
        """Write a recording folder: requests, metrics, markers, and the truth beside them.

        Parameters
        ----------
        folder
            Is made if it does not exist; files of an earlier recording are replaced.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in self.rows())
        with (
            (folder / "requests.jsonl.gz").open("wb") as file,
            gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed,  # no time: the same bytes again
        ):
            packed.writelines(line.encode() for line in lines)
        write_openmetrics(folder / "metrics.om.gz", self.series)
        marks = [{"t": at, "kind": k, "text": text, "labels": labels} for at, k, text, labels in deployed(self.case)]
        (folder / "markers.jsonl").write_text("".join(json.dumps(mark) + "\n" for mark in marks), encoding="utf-8")
        (folder / "truth.json").write_text(json.dumps(self.truth, indent=1) + "\n", encoding="utf-8")
        return folder

    def rows(self) -> Iterator[dict[str, Any]]:
        """Requests as objects, with their text if there is any; what is not known is left out."""
        requests, order = self.requests, self._order.tolist()
        ids, text = self._ids(), self._text()
        columns: dict[str, list[Any]] = {
            "request_id": [ids[k] for k in order],
            "started_at": requests.started_at.tolist(),
            "completed_at": requests.completed_at.tolist(),
            **{name: column.to_list() for name, column in requests.labels.items()},
            **{
                f"{name}_tokens": [None if x != x else int(x) for x in getattr(requests, f"{name}_tokens").tolist()]
                for name in ("prompt", "output", "cached")
            },
            "ttft": requests.ttft.tolist(),
            "latency": requests.latency.tolist(),
            "itl_mean": requests.itl.tolist(),
            "queue_time": requests.queue_time.tolist(),
            "finish_reason": requests.finish_reason.to_list(),
            "status": [200 if code >= 0 else None for code in requests.finish_reason.codes.tolist()],
            **({} if text is None else {name: [column[k] for k in order] for name, column in text.items()}),
        }
        for row in zip(*columns.values(), strict=True):
            yield {
                name: value for name, value in zip(columns, row, strict=True) if value is not None and value == value
            }

    @property
    def _ended(self) -> np.ndarray:
        return np.asarray((self.run.outcomes.finish >= 0) & (self.run.outcomes.completed_at < self.run.end))

    @property
    def _order(self) -> Ints:
        completed = self.run.outcomes.completed_at + self.run.network_s / 2
        return np.argsort(np.where(self._ended, completed, np.inf), kind="stable")

    def _ids(self) -> list[str]:
        return [f"r{session & 0xFFFFFFFF:x}-{int(1e3 * at) % 10**9}" for session, at in self._keys()]

    def _keys(self) -> Iterator[tuple[int, float]]:
        return zip(self.run.traffic.session.tolist(), self.run.traffic.at.tolist(), strict=True)

    def _text(self) -> dict[str, list[str | None]] | None:
        """Prompts and responses in the order of the traffic."""
        answers, traffic = self.case.answers, self.run.traffic
        if answers is None:
            return None
        prompt = np.maximum(traffic.prompt, 0) % len(answers)
        said = self._said(prompt)
        generated, ended = self.run.outcomes.generated, self._ended
        shown = [
            text[: len(text) * got // max(tokens, 1)] if got < tokens else text
            for text, tokens, got in zip(
                said.texts, np.minimum(said.tokens, said.max_tokens).tolist(), generated.tolist(), strict=True
            )
        ]
        return {
            "prompt": [answers.prompts[k] for k in prompt.tolist()],
            "response": [text if done else None for text, done in zip(shown, ended.tolist(), strict=True)],
        }

    def _said(self, prompt: Ints) -> Said:
        case, traffic, answers = self.case, self.run.traffic, self.case.answers
        assert answers is not None
        sample = sample_of(traffic, answers)
        if case.scenario.fault.text == "resampled":
            sample = np.where(case.course.at(traffic.at) > 0, answers.samples - 1 - sample, sample)
        said = answers.said(prompt, 0, sample, traffic.max_tokens)
        fault = case.scenario.fault.text
        return spoil(said, fault, self.spoilt, answers, case.seed) if fault in FAULTS else said


def spoilt(case: Case, run: Run) -> np.ndarray:
    """Whose answers go wrong: those whom the fault is likely to hit, as many as the severity says.

    Parameters
    ----------
    case
        What is simulated.
    run
        What happened.

    Returns
    -------
    ndarray
        Shape (n,), a mask.
    """
    fault, amount = case.scenario.fault, case.course.at(run.traffic.at)
    if fault.spoils is None or fault.text not in FAULTS:
        return np.zeros(len(run.traffic), np.bool_)
    likely = fault.spoils(run) * (run.outcomes.finish != ABORT)
    if case.scenario.signal == "answers":
        mean = likely[amount > 0].mean() if (amount > 0).any() else 0.0
        likely = likely * (case.size / mean if mean else 0.0)
    drawn = np.random.default_rng([case.seed, 19]).random(len(run.traffic))
    return np.asarray((amount > 0) & (drawn < likely * np.minimum(amount, 1.0)))
