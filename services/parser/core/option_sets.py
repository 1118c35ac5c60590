"""Which statement takes which options, and the reading of what was given."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from services.parser.core.faults import fault, nearest
from services.parser.core.option_types import (
    BooleanType,
    ChoiceType,
    ColumnsType,
    FractionType,
    GivenOption,
    HotwordsType,
    IntegerType,
    NumberType,
    OptionType,
    TextType,
)
from services.parser.core.plan_options import (
    BeamOptions,
    ConvertOptions,
    DeleteModelOptions,
    EvaluateOptions,
    GetOptions,
    IfExists,
    Precision,
    PredictOptions,
    PrintOptions,
    SearchKind,
    SearchOptions,
    SpeechTask,
    TrainingOptions,
    UploadOptions,
)
from services.parser.core.plan_parts import Notice
from thanosql_runtime.errors import Reason, Span, ThanosqlError

Made = TypeVar("Made")

_COLUMN = TextType(meaning="a quoted column name")
_PRECISION = ChoiceType(choices=tuple(precision.value for precision in Precision))
_BATCH_SIZE = IntegerType(least=1, most=1024)
_ALIASES: Mapping[str, str] = {"max_epochs": "epochs"}
_TRAINING_ONLY = frozenset({"epochs", "learning_rate", "overwrite", "seed"})
_LARGEST_SEED = 2**32 - 1
_LARGEST_WEIGHT = 100.0
_WEIGHT = NumberType(least=-_LARGEST_WEIGHT, most=_LARGEST_WEIGHT)
_BEAM: Mapping[str, OptionType] = {
    "language_model": TextType(meaning="the quoted path of an ARPA file"),
    "lm_weight": NumberType(least=0, most=_LARGEST_WEIGHT),
    "word_score": _WEIGHT,
    "beam_width": IntegerType(least=1, most=1024),
    "hotwords": HotwordsType(most=1000, longest=100, largest_weight=_LARGEST_WEIGHT),
    "hotword_weight": _WEIGHT,
}
_BEAM_DEPENDS: Mapping[str, tuple[str, ...]] = {
    "lm_weight": ("language_model",),
    "word_score": ("language_model", "beam_width", "hotwords"),
    "hotword_weight": ("hotwords",),
}


@dataclass(frozen=True, kw_only=True)
class OptionSet(Generic[Made]):
    """The options of one kind of statement.

    Attributes:
        label: The statement, as errors name it.
        make: Builds the typed options from the values that were given.
        takes: What each option may be set to.
        ignores: Options that are understood here and change nothing.
        needs: Options that must be given.
        depends: Options that mean nothing unless one of others is given too.
        excludes: Options that, once they are True, leave others without a meaning.
    """

    label: str
    make: Callable[..., Made]
    takes: Mapping[str, OptionType]
    ignores: frozenset[str] = frozenset()
    needs: tuple[str, ...] = ()
    depends: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    excludes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    known: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        aliases = (alias for alias, name in _ALIASES.items() if name in self.takes)
        object.__setattr__(self, "known", (*self.takes, *aliases))

    def read(self, given: Sequence[GivenOption], place: Span) -> tuple[Made, tuple[Notice, ...]]:
        """The typed options, and remarks on those that change nothing.

        Args:
            given: The options as written.
            place: Where a missing option is reported.

        Raises:
            ThanosqlError: An option is unknown, given twice, missing, or set to a wrong value.
        """
        # Any: the values fit the fields of `make`, which is what `takes` is for.
        values: dict[str, Any] = {}
        seen: dict[str, GivenOption] = {}
        notices: list[Notice] = []
        for option in given:
            name = _ALIASES.get(option.name.text, option.name.text)
            if name in seen:
                raise _duplicate(option, seen[name])
            seen[name] = option
            if name in self.takes and option.value.value is not None:
                values[name] = self.takes[name].read(option)
            elif name in self.ignores:
                notices.append(self._ignored(option))
            elif name not in self.takes:
                raise self._unknown(option)
        self._require(values, place)
        self._require_others(values, seen)
        self._refuse_excluded(values, seen)
        return self.make(**values), tuple(notices)

    def _require(self, values: Mapping[str, object], place: Span) -> None:
        for name in self.needs:
            if name not in values:
                message = f"{self.label} needs the option '{name}'"
                expected = [f"OPTIONS({name}=...)"]
                raise fault(message, place, reason=Reason.MISSING_OPTION, expected=expected)

    def _require_others(self, values: Mapping[str, object], seen: Mapping[str, GivenOption]) -> None:
        for name, others in self.depends.items():
            if name in values and not any(other in values for other in others):
                needed = " or ".join(f"'{other}'" for other in others)
                message = f"option '{name}' means nothing without {needed}"
                place, expected = seen[name].name.span, [f"{other}=..." for other in others]
                raise fault(message, place, reason=Reason.MISSING_OPTION, expected=expected)

    def _refuse_excluded(self, values: Mapping[str, object], seen: Mapping[str, GivenOption]) -> None:
        for name, others in self.excludes.items():
            meaningless = [other for other in others if other in values and values.get(name) is True]
            if meaningless:
                message = f"option '{meaningless[0]}' means nothing with {name}=True; leave one of them out"
                raise fault(message, seen[meaningless[0]].name.span, reason=Reason.INVALID_OPTION_VALUE)

    def _ignored(self, option: GivenOption) -> Notice:
        message = f"option '{option.name.text}' has no effect in {self.label}"
        return Notice(message=message, span=option.name.span)

    def _unknown(self, option: GivenOption) -> ThanosqlError:
        name = option.name.text
        owners = [other.label for other in option_sets() if name in other.known]
        belongs = f"; it belongs to {', '.join(owners)}" if owners else ""
        return fault(
            f"unknown option '{name}' for {self.label}{belongs}",
            option.name.span,
            reason=Reason.UNKNOWN_OPTION,
            suggestion="" if owners else nearest(name, self.known),
            known=self.known,
        )


def _duplicate(option: GivenOption, first: GivenOption) -> ThanosqlError:
    where = f"line {first.name.span.line}, column {first.name.span.column}"
    same = option.name.text == first.name.text
    what = "is given twice" if same else f"is another name for '{first.name.text}', which is given too"
    message = f"option '{option.name.text}' {what}: first at {where}"
    return fault(message, option.name.span, reason=Reason.DUPLICATE_OPTION)


@dataclass(frozen=True, kw_only=True)
class CopyOptions:
    """Options of COPY before the two ways to say 'replace' become one."""

    overwrite: bool = False
    if_exists: str | None = None
    store_audio: bool = False
    audio_col: str | None = None


def _predict_options(
    *, task: str = SpeechTask.TRANSCRIBE.value, precision: str = "", **values: Any
) -> PredictOptions:
    # Any: passed on to typed fields; see OptionSet.read.
    return PredictOptions(task=SpeechTask(task), precision=_precision(precision), **_with_beam(values))


def _evaluate_options(*, precision: str = "", **values: Any) -> EvaluateOptions:
    # Any: passed on to typed fields; see OptionSet.read.
    return EvaluateOptions(precision=_precision(precision), **_with_beam(values))


def _precision(written: str) -> Precision | None:
    return Precision(written) if written else None


def _with_beam(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, those of a beam search put together. Any: see OptionSet.read."""
    searching = {name: value for name, value in values.items() if name in _BEAM}
    others = {name: value for name, value in values.items() if name not in _BEAM}
    return others | {"beam": BeamOptions(**searching) if searching else None}


def _convert_options(**values: Any) -> ConvertOptions:
    # Any: passed on to typed fields; see OptionSet.read.
    if "audio_col" not in values and "text_col" not in values:
        values["audio_col"] = "audio_path"
    return ConvertOptions(**values)


COPY = OptionSet(
    label="COPY",
    make=CopyOptions,
    takes={
        "overwrite": BooleanType(),
        "if_exists": ChoiceType(choices=tuple(choice.value for choice in IfExists)),
        "store_audio": BooleanType(),
        "audio_col": _COLUMN,
    },
)
PRINT = OptionSet(label="PRINT", make=PrintOptions, takes={"audio_col": _COLUMN})
_TRAINING: Mapping[str, OptionType] = {
    "audio_col": _COLUMN,
    "text_col": _COLUMN,
    "epochs": IntegerType(least=1, most=10_000),
    "batch_size": _BATCH_SIZE,
    "learning_rate": FractionType(),
    "overwrite": BooleanType(),
    "seed": IntegerType(least=0, most=_LARGEST_SEED),
}
BUILD_MODEL = OptionSet(label="BUILD MODEL", make=TrainingOptions, takes=_TRAINING)
FIT_MODEL = OptionSet(label="FIT MODEL", make=TrainingOptions, takes=_TRAINING)
PREDICT = OptionSet(
    label="PREDICT",
    make=_predict_options,
    takes={
        "audio_col": _COLUMN,
        "batch_size": _BATCH_SIZE,
        "result_col": _COLUMN,
        "language": TextType(meaning="a language such as 'en', or 'auto'"),
        "task": ChoiceType(choices=tuple(task.value for task in SpeechTask)),
        "precision": _PRECISION,
        "reuse": BooleanType(),
        "only_new": BooleanType(),
        **_BEAM,
        "word_times": BooleanType(),
        "confidence": BooleanType(),
        "n_best": IntegerType(least=1, most=10),
    },
    ignores=_TRAINING_ONLY | {"text_col"},
    depends=_BEAM_DEPENDS,
)
EVALUATE = OptionSet(
    label="EVALUATE",
    make=_evaluate_options,
    takes={
        "audio_col": _COLUMN,
        "text_col": _COLUMN,
        "batch_size": _BATCH_SIZE,
        "precision": _PRECISION,
        "reuse": BooleanType(),
        "slice_by": ColumnsType(most=8),
        "resample_by": _COLUMN,
        "per_row": BooleanType(),
        **_BEAM,
    },
    ignores=_TRAINING_ONLY | {"result_col"},
    depends=_BEAM_DEPENDS,
    excludes={"per_row": ("slice_by", "resample_by")},
)
CONVERT = OptionSet(
    label="CONVERT",
    make=_convert_options,
    takes={"audio_col": _COLUMN, "text_col": _COLUMN, "batch_size": _BATCH_SIZE, "result_col": _COLUMN},
    ignores=_TRAINING_ONLY,
)
GET_MODEL = OptionSet(
    label="GET THANOSQL MODEL",
    make=GetOptions,
    takes={"model_name": TextType(meaning="a quoted model name"), "overwrite": BooleanType()},
)
GET_DATASET = OptionSet(label="GET THANOSQL DATASET", make=GetOptions, takes={"overwrite": BooleanType()})
DELETE_MODEL = OptionSet(label="DELETE MODEL", make=DeleteModelOptions, takes={"force": BooleanType()})
UPLOAD_MODEL = OptionSet(
    label="UPLOAD MODEL",
    make=UploadOptions,
    takes={"framework": ChoiceType(choices=("pytorch",)), "overwrite": BooleanType()},
)


def _search(kind: SearchKind, search_by: tuple[str, ...], *, ignores: str) -> OptionSet[SearchOptions]:
    takes: dict[str, OptionType] = {
        "search_input": TextType(meaning="a quoted path or quoted words"),
        "search_by": ChoiceType(choices=search_by),
        "emb_col": _COLUMN,
        "text_col": _COLUMN,
        "result_col": _COLUMN,
        "top_k": IntegerType(least=1, most=1_000_000),
    }
    del takes[ignores]

    def make(*, search_by: str = search_by[0], **values: Any) -> SearchOptions:
        # Any: passed on to typed fields; see OptionSet.read.
        return SearchOptions(search_by=search_by, **values)

    return OptionSet(
        label=f"SEARCH {kind.value}",
        make=make,
        takes=takes,
        ignores=frozenset({ignores, "batch_size"}),
        needs=("search_input",),
    )


SEARCH: Mapping[SearchKind, OptionSet[SearchOptions]] = {
    SearchKind.AUDIO: _search(SearchKind.AUDIO, ("audio", "text"), ignores="text_col"),
    SearchKind.TEXT: _search(SearchKind.TEXT, ("text", "audio"), ignores="text_col"),
    SearchKind.KEYWORD: _search(SearchKind.KEYWORD, ("text",), ignores="emb_col"),
}


def option_sets() -> tuple[OptionSet[Any], ...]:
    """Those of every kind of statement."""
    # Any: sets of different options side by side.
    sets: list[OptionSet[Any]] = [COPY, PRINT, BUILD_MODEL, FIT_MODEL, PREDICT, EVALUATE, CONVERT]
    sets.extend(SEARCH.values())
    return (*sets, GET_MODEL, GET_DATASET, UPLOAD_MODEL, DELETE_MODEL)


def contradiction(given: Sequence[GivenOption], first: str, second: str) -> ThanosqlError:
    """The error for two options of a statement that cannot both hold; it points at the later one."""
    later = [option for option in given if option.name.text in (first, second)][-1]
    message = f"options '{first}' and '{second}' contradict each other"
    return fault(message, later.name.span, reason=Reason.INVALID_OPTION_VALUE, expected=["one of them"])
