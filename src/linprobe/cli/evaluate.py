"""`linprobe evaluate`: a saved model on a source, and the certificate of how near it is to its optimum."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from linprobe.cli.arguments import (
    ClusterOption,
    GroupsOption,
    LabelOption,
    ModelArgument,
    SourceArgument,
    SplitColumnOption,
    TestOption,
    ValOption,
    WeightsOption,
    XOption,
)

if TYPE_CHECKING:
    from linprobe.data.dataset import Dataset
    from linprobe.model import Model
    from linprobe.results.steps import Step
    from linprobe.tasks.evaluate import Assessment, Proof

__all__ = ["evaluate"]

FINGERPRINT, LONGEST = 15, 200  # characters that are shown of a fingerprint and of a source

METRICS = ("groups", "temperature", "metrics")  # as run.json has them beside the accuracy
CLASSES = 20  # in the table; of more, those with the lowest recall


def evaluate(
    model: ModelArgument,
    source: SourceArgument,
    x: XOption = None,
    label: LabelOption = None,
    val: ValOption = None,
    test: TestOption = None,
    split_column: SplitColumnOption = None,
    groups: GroupsOption = None,
    weights: WeightsOption = None,
    cluster: ClusterOption = None,
    certify: Annotated[
        bool,
        typer.Option("--certify", help="Prove how near the model is to the optimum of the rows it was trained on."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON, only that.")] = False,
) -> None:
    """Measure a saved model on the source's test split.

    All of that split is used, whatever part of it a run had measured.

    Where there is none: what the model's training left for test, or all of a source that it was not trained on.

    The data is read as the model's training read it, with the same --label, --groups and so on, unless they are given.

    With --certify the exit status is 1 unless the model is proven to be within the tolerance that it was trained with.
    """
    from rich.console import Console

    from linprobe.cli.cluster import on_cluster
    from linprobe.cli.output import answer, require_output
    from linprobe.cli.screen import print_step
    from linprobe.cli.source import opened, opened_on
    from linprobe.model import load
    from linprobe.tasks.evaluate import assess, open_as_trained, prove, trained_on

    classifier = load(model)
    given = {"x": x, "label": label, "val": val, "test": test, "split_column": split_column, "groups": groups}
    given["weights"] = weights
    with on_cluster(cluster) as client:
        if client is None:
            dataset = opened(source, given, lambda choice: open_as_trained(classifier, source, choice))
        else:
            told = classifier.provenance.asked
            known = {name: given[name] or told.get(name) for name in given}
            dataset = opened_on(client, source, known)
        # First what may be refused, so that nothing is printed then.
        proof = prove(classifier, dataset) if certify else None
        found = assess(classifier, dataset, white=dataset.white)
    if as_json:
        answer(_json(str(model), classifier, dataset, found, proof))
    else:
        console = Console(highlight=False)
        if not trained_on(classifier, dataset):
            print_step(console, _other_data(classifier, dataset))
        print_step(console, _accuracy(classifier, dataset, found))
        if found.measured.metrics:
            print_step(console, _metrics(found))
        if proof is not None:
            print_step(console, _certificate(classifier, proof))
        require_output()
    if proof is not None and not proof.proven:
        raise typer.Exit(1)


def _json(model: str, classifier: "Model", dataset: "Dataset", found: "Assessment", proof: "Proof | None") -> str:
    """Everything, as --json prints it."""
    from linprobe.core.measure import per_class
    from linprobe.results import to_json
    from linprobe.tasks.evaluate import trained_on

    origin = classifier.provenance
    numbers = {
        "model": model,
        "data": {
            "source": dataset.name,
            "notes": list(dataset.notes),
            "fingerprint": dataset.fingerprint,
            "trained_on": {"source": origin.data, "fingerprint": origin.fingerprint},
            "other_data": not trained_on(classifier, dataset),
            "rows": found.rows,
        },
        "accuracy": found.accuracy,
        "interval": list(found.interval),
        "n": found.n,
        **{name: value for name, value in to_json(found.measured).items() if name in METRICS},
        "classes": [
            {
                "class": one.name,
                "n": one.n,
                "recall": one.recall,
                "mistaken_for": one.mistaken_for,
                "times": one.times,
            }
            for one in per_class(found.counts, classifier.classes)
        ],
        "unlearned": classifier.unlearned,
        "confusion": found.counts.tolist(),
    }
    if proof is not None:
        numbers["certificate"] = {"proven": proof.proven, **asdict(proof), "relative_gap": proof.relative_gap}
    return json.dumps(numbers, indent=2)


def _other_data(classifier: "Model", dataset: "Dataset") -> "Step":
    from linprobe.results.steps import Row, Step

    origin, unknown = classifier.provenance, "the model's file does not say"
    rows = (
        Row("trained on", (origin.data or unknown)[:LONGEST], (origin.fingerprint or "")[:FINGERPRINT]),
        Row("this is", dataset.name, dataset.fingerprint[:FINGERPRINT]),
    )
    return Step(None, "Other data than the model was trained on", rows)


def _accuracy(classifier: "Model", dataset: "Dataset", found: "Assessment") -> "Step":
    from linprobe.core.measure import per_class
    from linprobe.results.steps import LONGEST_CELL, Step, Table, accuracy_rows, brief, without_examples

    shown = [one for one in per_class(found.counts, classifier.classes) if one.recall is not None]
    notes = without_examples(classifier.unlearned)
    if len(shown) > CLASSES:
        notes += (f"The {CLASSES} classes with the lowest recall of {len(shown):,}; --json has them all.",)
        shown = sorted(shown, key=lambda one: one.recall or 0.0)[:CLASSES]
    cells = tuple(
        (
            brief(one.name, LONGEST_CELL),
            f"{one.n:,}",
            f"{one.recall:.4f}",
            f"{brief(one.mistaken_for, LONGEST_CELL)} ({one.times:,})" if one.mistaken_for is not None else "-",
        )
        for one in shown
    )
    header = ("class", "examples", "recall", "most often confused with")
    table = Table(header, ("word", "number", "number", "word"), cells)
    rows = accuracy_rows("accuracy", found.accuracy, found.interval, found.n)
    return Step(None, f"Accuracy on {dataset.name}: {found.rows}", rows, notes, table)


def _metrics(found: "Assessment") -> "Step":
    from linprobe.results.steps import Step
    from linprobe.results.steps.metrics import metrics_notes, metrics_table

    return Step(None, "Other metrics", (), metrics_notes(found.measured), metrics_table(found.measured))


def _certificate(classifier: "Model", proof: "Proof") -> "Step":
    from linprobe.results.steps import Row, Step, at_most, number, proven

    whose = "the one it was trained with" if proof.stored else "the default: its file has none"
    rows = [
        Row("trained on", f"{proof.n:,} examples, {proof.rows}"),
        Row(
            "objective",
            f"{'weighted ' * classifier.provenance.weighted}mean {proof.loss} loss + {number(proof.reg, 6)} x ΣW²",
        ),
        Row("tolerance", f"{number(proof.tolerance)} of the objective", whose),
    ]
    if proof.objective is not None and proof.gap is not None:
        rows += [
            Row("here", f"{proof.objective:.10g}"),
            Row("proven gap", at_most(proof.gap), f"{at_most(proof.relative_gap or 0.0, 1)} of the objective"),
        ]
    if not proof.proven or proof.objective is None or proof.gap is None:
        return Step(None, "Certificate: not proven", tuple(rows), (f"Not proven: {proof.why}.",))
    return Step(None, "Certificate: proven", tuple(rows), (proven(proof.objective, proof.gap),))
