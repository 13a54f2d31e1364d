"""What the page says, as types: one for each part that the template places."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from linprobe.core.measure import ClassScore
from linprobe.results.steps import Row, Table

__all__ = [
    "AccuracyInterval",
    "BinFacts",
    "CalibrationFacts",
    "Card",
    "ClassRecall",
    "Confused",
    "MetricsFacts",
    "MistakeFacts",
    "MistakeTile",
    "PageFacts",
    "RecallFacts",
    "ReproduceFacts",
    "SettingColumn",
    "SettingRow",
    "SettingsFacts",
    "SettingsTable",
    "SolverFacts",
    "TemplateFacts",
    "TemplateTile",
    "WorksheetFacts",
]


@dataclass(frozen=True)
class AccuracyInterval:
    """An accuracy, the ends of its 95 % interval, and what chance would give."""

    accuracy: float
    low: float
    high: float
    chance: float


@dataclass(frozen=True, kw_only=True)
class Card:
    """A card of the headline, which leads to a section: a value, or the parts of one; interval: to be drawn."""

    section: str
    label: str
    value: str = ""
    parts: list[str] | None = None
    interval: AccuracyInterval | None = None
    sentences: Sequence[str]


@dataclass(frozen=True)
class SettingColumn:
    """A column's heading, and whether it has words or numbers."""

    title: str
    kind: str


@dataclass(frozen=True)
class SettingRow:
    """The figures of a setting in words; marked: the chosen one; lost: one that diverged."""

    cells: list[str]
    marked: bool
    lost: bool


@dataclass(frozen=True, kw_only=True)
class SettingsTable:
    """The best settings, of how many in all; sorted_by: the place of the column that they are in the order of."""

    header: list[SettingColumn]
    rows: list[SettingRow]
    all: int
    sorted_by: int
    ascending: bool = False


@dataclass(frozen=True, kw_only=True)
class SettingsFacts:
    """Which setting was chosen, by which metric, its figures, by how much, and all of them; screening: at a low rank.

    edges: a sentence for each axis on whose end it lies, and what to type, if anything.
    """

    chosen: str
    metric: str
    figure: str
    accuracy: str
    train: str
    on: str
    lead: list[str]
    edges: list[tuple[str, str]]
    notes: list[str]
    table: SettingsTable
    screening: SettingsTable | None


@dataclass(frozen=True, kw_only=True)
class MetricsFacts:
    """All metrics of the test split in words, and how their intervals come about."""

    table: Table
    sentences: Sequence[str]


@dataclass(frozen=True)
class SolverFacts:
    """Whether the solver is done: in a word, in sentences, and by which figures."""

    value: str
    sentences: Sequence[str]
    rows: Sequence[Row] = ()


@dataclass(frozen=True)
class TemplateTile:
    """The picture of a class's weights, as a data URI, and its recall in words."""

    uri: str
    name: str
    recall: str


@dataclass(frozen=True, kw_only=True)
class TemplateFacts:
    """The templates, and how they are drawn; why there are none; signed: in two colours; filter: very many."""

    tiles: list[TemplateTile] = field(default_factory=list)
    why: str
    how: str = ""
    notes: list[str] = field(default_factory=list)
    signed: bool = False
    filter: bool = False


@dataclass(frozen=True)
class ClassRecall:
    """How a class fared: how many are right, and the 95 % interval of its recall, None of no examples."""

    score: ClassScore
    right: int
    low: float | None
    high: float | None


@dataclass(frozen=True)
class RecallFacts:
    """The classes with the lowest recall, of how many in all."""

    rows: list[ClassRecall]
    all: int


@dataclass(frozen=True)
class Confused:
    """A true class that was so often predicted as another, and the share of it in words."""

    label: str
    predicted: str
    times: int
    share: str


@dataclass(frozen=True)
class MistakeTile:
    """A mistake: both classes, how sure the model was in words, and the picture as a data URI, if it is one."""

    label: str
    predicted: str
    sure: str
    uri: str | None


@dataclass(frozen=True, kw_only=True)
class MistakeFacts:
    """The mistakes that the model was surest of, and how many there are in all; pictures: whether they are some."""

    tiles: list[MistakeTile]
    pictures: bool
    wrong: int
    probabilistic: bool


@dataclass(frozen=True, kw_only=True)
class BinFacts:
    """A bin of confidence in words, and what is known of the predictions in it."""

    bin: str
    n: str
    confidence: str
    accuracy: str
    interval: str


@dataclass(frozen=True, kw_only=True)
class CalibrationFacts:
    """Whether its confidence can be believed, with the bins that have examples and how many have none; or why not."""

    why: str | None = None
    sentence: str = ""
    rows: list[BinFacts] = field(default_factory=list)
    absent: int = 0


@dataclass(frozen=True, kw_only=True)
class WorksheetFacts:
    """The figures of the exercise's first steps, the published accuracy, and its questions with their answers."""

    rows: list[Row]
    published: str | None
    questions: list[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class ReproduceFacts:
    """What to type to do it again, what to expect, and names with values: of the data, the versions, the options."""

    command: str
    install: str
    expect: str
    data: list[tuple[str, str]]
    versions: list[tuple[str, str]]
    options: list[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class PageFacts:
    """Everything but the figures and the model; classes: how many; metrics, worksheet: None where the run has none."""

    title: str
    kind: str
    heading: str
    lede: str
    notes: list[str]
    cards: list[Card]
    settings: SettingsFacts
    metrics: MetricsFacts | None
    solver: SolverFacts
    templates: TemplateFacts
    classes: int
    recall: RecallFacts
    pairs: list[Confused]
    alike: str | None
    mistakes: MistakeFacts
    calibration: CalibrationFacts
    worksheet: WorksheetFacts | None
    reproduce: ReproduceFacts
