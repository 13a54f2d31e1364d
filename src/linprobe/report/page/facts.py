"""What the page says, in words and numbers that the template only has to place."""

from dataclasses import replace

from linprobe.core.losses import LOSSES
from linprobe.core.measure import wilson_interval
from linprobe.core.metrics import METRICS
from linprobe.report.labels import percent
from linprobe.report.page import failures, settings
from linprobe.report.page.names import class_names, shown
from linprobe.report.page.parts import (
    AccuracyInterval,
    Card,
    MetricsFacts,
    PageFacts,
    ReproduceFacts,
    SettingsFacts,
    SolverFacts,
    TemplateFacts,
    TemplateTile,
    WorksheetFacts,
)
from linprobe.report.page.pictures import template_pictures
from linprobe.report.run import Run
from linprobe.report.settings import Settings, screened_of, settings_of
from linprobe.results import Compared, Skipped
from linprobe.results.steps import AXES, Row, Step, at_most, counted, in_two_splits, number, within, without_examples
from linprobe.results.steps.exercise import (
    NEAR,
    excess,
    first_loss_step,
    gradient_check_step,
    optimum_step,
    proven_lowest,
    vectorized_step,
)
from linprobe.results.steps.metrics import metrics_notes, metrics_table
from linprobe.tasks.tune.steps import refit_step

__all__ = ["facts_of"]

DONE = 1e-3  # above the lowest objective, relative: what no figure of the page would show
SAID_ELSEWHERE = ("data", "fingerprint", "version")  # of the options
LONGEST = 600  # characters of a sentence that names classes
LONGEST_COMMAND = 20_000
FILTERED = 24  # templates; of more, one is found by its name


def facts_of(run: Run, room: dict[str, int]) -> PageFacts:
    """Everything but the figures and the model; room: bytes for what can grow."""
    found, names = settings_of(run), class_names(run.classifier.classes)
    solver = _solver(run)
    done = Card(section="solver", label="Is the solver done?", value=solver.value, sentences=solver.sentences[:1])
    return PageFacts(
        title=shown(run.numbers.data.source, 80),
        kind="tune" if run.numbers.first_loss is None else "worksheet",
        heading=loss.classifier if (loss := LOSSES.get(run.numbers.loss)) else "Linear classifier",
        lede=_lede(run),
        notes=_notes(run),
        cards=[_accuracy(run), _winner(run, found), done, failures.weakest(run, names)],
        settings=_settings(run, found, room),
        metrics=_metrics(run),
        solver=solver,
        templates=_templates(run, names, room["templates"]),
        classes=len(names),
        recall=failures.recall(run, names, room["classes"]),
        pairs=(pairs := failures.pairs(run, names)),
        alike=failures.alike(run, pairs),
        mistakes=failures.mistakes(run, names, room["mistakes"]),
        calibration=failures.calibration(run),
        worksheet=_worksheet(run),
        reproduce=_reproduce(run, names),
    )


def _notes(run: Run) -> list[str]:
    """What is to be known of the data: how it was read, which classes it lacks, what is in two splits."""
    data = run.numbers.data
    absent = without_examples([shown(name) for name in data.absent])
    twice = in_two_splits(data.identical, {"val": data.val, "test": data.test})
    return [shown(note, LONGEST) for note in (*absent, *twice, *(data.notes or ()))]


def _lede(run: Run) -> str:
    data, grid, refit = run.numbers.data, run.numbers.grid, run.numbers.refit
    axes = [f"{len(values):,} {_many(name)}" for name, values in grid.axes.items() if len(values) > 1]
    if grid.settings == 1:
        many = "One random setting" if grid.trials else "One setting"
    elif grid.trials:
        varied = [AXES[name] for name, values in grid.axes.items() if len(values) > 1]
        many = f"{grid.settings:,} random settings ({', '.join(varied)})"
    elif len(axes) > 1:
        many = f"{grid.settings:,} settings ({' × '.join(axes)})"
    else:
        many = axes[0]
    one = grid.settings == 1
    how = _trained(grid)
    if grid.folds:
        on = f"compared in {grid.folds} folds of {data.train + data.val:,} examples"
    else:
        others = "another" if data.val == 1 else f"{data.val:,} others"
        on = f"{'judged' if one else 'compared'} on {others}"
        how += f" on {counted(data.train, 'example')}"
    again = " was" if refit is None else f" was trained again on all {refit.n:,} of them, and"
    return (
        f"{many} {'was' if one else 'were'} {how} and {on}. {'It' if one else 'The best'}{again} measured once, on "
        f"{counted(run.evidence.n, 'test example')} that had no part in the choice."
    )


def _trained(grid: Compared) -> str:
    """How the settings were trained, and whether the exact solver reached what it was asked for."""
    if grid.solver != "exact":
        return "trained by SGD"
    done = sum(within(row.gap, row.objective, grid.tol) for row in grid.rows)
    if done == len(grid.rows):
        return f"{'' if done == 1 else 'each '}solved to the optimum"
    short = "but not" if len(grid.rows) == 1 else f"{done:,} of {len(grid.rows):,}"
    return f"solved, {short} to the optimum,"


def _many(name: str) -> str:
    return {"reg": "values of reg", "momentum": "momenta"}.get(name, f"{AXES[name]}s")


def _accuracy(run: Run) -> Card:
    test, K = run.numbers.test, len(run.classifier.classes)
    low, high = test.interval
    right = round(test.accuracy * test.n)
    return Card(
        section="failures",
        label="Test accuracy",
        value=f"{test.accuracy:.4f}",
        interval=AccuracyInterval(test.accuracy, low, high, 1 / K),
        sentences=[
            f"{right:,} of {counted(test.n, 'test example')} right. The 95\u00a0% interval (Wilson) is {low:.4f} to "
            f"{high:.4f}; chance among {K:,} classes is {1 / K:.4f}."
        ],
    )


def _metrics(run: Run) -> MetricsFacts | None:
    test = run.numbers.test
    if (table := metrics_table(test, about=True)) is None:
        return None
    metric, (low, high) = METRICS["accuracy"], test.interval
    accuracy = ("accuracy", metric.say(test.accuracy), f"{metric.say(low)} to {metric.say(high)}", metric.about)
    return MetricsFacts(
        table=replace(table, rows=(accuracy, *table.rows)),
        sentences=metrics_notes(test),
    )


def _winner(run: Run, found: Settings) -> Card:
    brief = settings.lead_in_brief(found)
    metric = run.numbers.grid.chosen_by
    what = f"Validation {metric.label} {metric.say(found.figure(found.best))}"
    sentence = f"{what} on {counted(found.n, 'example')}, {brief}."
    if run.numbers.grid.edges:
        sentence += " It lies at the edge of what was tried."
    return Card(section="settings", label="Chosen", parts=found.parts(found.best), sentences=[sentence])


def _settings(run: Run, found: Settings, room: dict[str, int]) -> SettingsFacts:
    grid, screened = run.numbers.grid, screened_of(run)
    notes = []
    lost = sum(row.status == "diverged" for row in (screened or found).rows)
    if lost:
        gone = "it has no figures and was" if lost == 1 else "they have no figures and were"
        notes.append(f"{lost:,} of {grid.settings:,} diverged; {gone} left out of the choice.")
    if grid.screening is not None:
        told = grid.screening
        kept = f"The best {told.retrained:,} were then retrained on all features, and only they are results."
        if told.retrained == 1:
            kept = "The best one was then retrained on all features, and only that is a result."
        notes.append(
            f"First, all {grid.settings:,} were compared on {counted(told.rank, 'principal direction')} of the "
            f"features, outside of which {percent(told.residual)} of their energy lies. {kept}"
        )
    if grid.folds:
        notes.append("Accuracies, objectives and gaps are means over the folds.")
    room_each = room["table"] // (1 if screened is None else 2)
    best = found.rows[found.best]
    return SettingsFacts(
        chosen=found.named(found.best),
        metric=(metric := grid.chosen_by).label,
        figure=metric.say(found.figure(found.best)),
        accuracy=f"{best.val_accuracy:.4f}",
        train=f"{best.train_accuracy:.4f}",
        on=counted(found.n, "example"),
        lead=settings.lead(found),
        edges=settings.edges(run),
        notes=notes,
        table=settings.table(found, room_each),
        screening=None if screened is None else settings.table(screened, room_each),
    )


def _solver(run: Run) -> SolverFacts:
    """Whether the solver is done: in a word, in sentences, and by which figures."""
    numbers, refit = run.numbers, run.numbers.refit
    if refit is not None:
        tol, gap, weighted = numbers.grid.tol, refit.gap, numbers.grid.weighted
        step = refit_step(refit, numbers.grid.best, numbers.loss, tol, numbers.grid.chosen_by, weighted=weighted)
        if gap is None:
            value = "Not known"
        elif within(gap, refit.objective, tol):
            value = "Yes, proven"
        else:
            value = "Not quite" if within(gap, refit.objective, NEAR) else "No"
        first = step.notes[0]
        if refit.relative_gap is not None:
            first += f" The gap is {at_most(refit.relative_gap, 1)} of the objective."
        return SolverFacts(value, [first, *step.notes[1:]], _untimed(step))
    optimum = numbers.optimum or Skipped(skipped="this run did not look for the optimum")
    if isinstance(optimum, Skipped):
        why = shown(optimum.skipped, LONGEST)
        sentence = f"How far SGD is from the lowest possible objective is not known: {why}."
        return SolverFacts("Not known", [sentence])
    step, share = optimum_step(optimum), optimum.sgd.relative_excess
    if not proven_lowest(optimum):
        return SolverFacts("Not known", step.notes, step.rows)
    value = "Yes" if share < DONE else "Nearly" if share < NEAR else "No"
    first = (
        f"SGD's objective, {number(optimum.sgd.objective, 4)}, is {excess(share)} the lowest possible one at "
        f"this reg, {number(optimum.objective, 4)}, which is proven to {at_most(optimum.relative_gap, 1)} of it."
    )
    return SolverFacts(value, [first, *step.notes], step.rows)


def _untimed(step: Step) -> list[Row]:
    return [row for row in step.rows if not row.timed]


def _templates(run: Run, names: list[str], room: int) -> TemplateFacts:
    shape, K = run.classifier.preparation.shape, len(names)
    if len(shape) != 3:
        return TemplateFacts(
            why=f"The examples are rows of {counted(shape[0], 'feature')}, not pictures: there is nothing to draw."
        )
    drawn = template_pictures(run, room)
    recall = run.evidence.counts.diagonal() / run.evidence.counts.sum(axis=1).clip(1)
    tiles = [
        TemplateTile(uri, names[k], f"{recall[k]:.2f}" if run.evidence.counts[k].any() else "–")
        for k, uri in enumerate(drawn.uris)
    ]
    channels = shape[2]
    if channels == 3:
        how = "in colour, by one scale for all classes: mid-grey is about nothing"
    else:
        what = "" if channels == 1 else f", the mean of {channels} channels"
        how = f"by one scale for all classes{what}"
    notes = []
    side = max(shape[:2])
    if tiles and drawn.side < side:
        notes.append(f"Averaged from {shape[0]} x {shape[1]} down to {drawn.side} pixels, to keep the page small.")
    if len(tiles) < K:
        notes.append(f"The first {len(tiles):,} of {K:,} classes; templates.png in the run's folder has all of them.")
    return TemplateFacts(
        tiles=tiles,
        why="The page has no room for them; templates.png in the run's folder has all.",
        how=how,
        notes=notes,
        signed=channels != 3,
        filter=len(tiles) > FILTERED,
    )


def _worksheet(run: Run) -> WorksheetFacts | None:
    """The figures of the exercise's first steps, each beside what was expected, and its two questions."""
    numbers, K, published = run.numbers, len(run.classifier.classes), run.numbers.grid.published_val_accuracy
    first, check, matrix, answers = numbers.first_loss, numbers.gradient_check, numbers.vectorized, numbers.questions
    if first is None or check is None or matrix is None or answers is None:
        return None
    asked = (
        (f"Why is the first softmax loss near log {K:,}?", answers.first_loss.answer),
        ("Can one more image leave the SVM loss as it is, but never the softmax loss?", answers.svm_unchanged.answer),
    )
    steps = (first_loss_step(first, numbers.loss, K), gradient_check_step(check), vectorized_step(matrix))
    return WorksheetFacts(
        rows=[replace(row, what=f"{step.title}: {row.what}") for step in steps for row in _untimed(step)],
        published=None if published is None else f"{published:.3f}",
        questions=[(question, shown(answer, LONGEST)) for question, answer in asked],
    )


def _groups(groups: dict[str, int]) -> str:
    return f"{', '.join(f'{number:,} {shown(name, 20)}' for name, number in groups.items())}; none in two of them"


def _reproduce(run: Run, names: list[str]) -> ReproduceFacts:
    numbers, data = run.numbers, run.numbers.data
    shape = run.classifier.preparation.shape
    what = (
        f"pictures of {' x '.join(map(str, shape))}" if len(shape) == 3 else f"rows of {counted(shape[0], 'feature')}"
    )
    sizes = {"train": data.train, "val": data.val, "test": data.test, "dev": data.dev}
    splits = ", ".join(f"{size:,} {name}" for name, size in sizes.items() if size is not None)
    low, high = wilson_interval(run.evidence.correct, run.evidence.n)
    options = dict(numbers.options)
    rows = options.pop("rows", None)
    flat = options | ({f"rows: {name}": value for name, value in rows.items()} if isinstance(rows, dict) else {})
    flat = {name.replace("_", " "): value for name, value in flat.items() if name not in SAID_ELSEWHERE}
    return ReproduceFacts(
        command=numbers.command[:LONGEST_COMMAND],
        install="git clone URL-OF-LINPROBE linprobe\npip install './linprobe[all]'",
        expect=f"{run.evidence.correct:,} of {counted(run.evidence.n, 'test example')} right ({low:.4f} to {high:.4f})",
        data=[
            ("source", shown(data.source, 200)),
            ("fingerprint", shown(data.fingerprint, 200)),
            ("examples", what),
            ("splits", splits),
            *([("groups", _groups(data.groups))] if data.groups else []),
            ("seed", shown(numbers.options.get("seed"))),
            ("classes", f"{len(names):,}: {', '.join(names[:20])}{', …' if len(names) > 20 else ''}"),
        ],
        versions=[(shown(name), shown(version)) for name, version in numbers.versions.items()],
        options=[(shown(name), shown("none" if value is None else value, 200)) for name, value in flat.items()],
    )
