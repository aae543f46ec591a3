"""results.csv: every score of a run, a line each."""

import csv
import io
from collections.abc import Mapping

from ecavg_tf.core.scores import Score
from ecavg_tf.results import RunResults


def results_csv(results: RunResults) -> str:
    """Long format: a line a score."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["round", "who", "stage", "distribution", "accuracy", "loss", "n"])
    for result in results.rounds:
        server = result.server
        stages: list[tuple[str, str, Mapping[str, Score | None]]] = [
            ("server", "averaged", {"all": server.averaged.all}),
            ("server", "recalibrated", {"all": server.recalibrated.all}),
            ("server", "global", {"all": server.global_.all}),
        ]
        for edge in result.edges:
            for stage, scores in (
                ("start", edge.start),
                ("local", edge.local),
                ("global", edge.global_),
                ("accepted", edge.accepted),
                *((f"rung:{rung.rung}", rung) for rung in edge.rungs),
            ):
                if scores is not None:
                    stages.append((edge.edge, stage, {"own": scores.own, "all": scores.all}))
        for who, stage, by_distribution in stages:
            for distribution, score in by_distribution.items():
                if score is not None:
                    writer.writerow(
                        [
                            result.round,
                            who,
                            stage,
                            distribution,
                            score.accuracy,
                            score.loss,
                            score.n,
                        ]
                    )
    return stream.getvalue()
