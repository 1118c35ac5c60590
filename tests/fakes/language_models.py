"""Small language models for tests: as text, in memory, and beside brute force."""

import io
from collections.abc import Sequence

from scripts.make_language_model import KneserNey
from services.predictor.core.decoding.beam.arpa import ArpaReader, ReadModel
from services.predictor.core.decoding.beam.fusion import LanguageModel
from services.predictor.core.decoding.beam.lexicon import build_lexicon
from thanosql_ctc.vocabulary import Vocabulary

SMALL_ARPA = """\\data\\
ngram 1=5
ngram 2=3
ngram 3=1

\\1-grams:
-1.0\t<s>\t-0.5
-0.8\t</s>
-0.5\tA\t-0.3
-0.7\tB\t-0.2
-2.0\t<unk>

\\2-grams:
-0.2\t<s> A\t-0.1
-0.4\tA B\t-0.25
-0.6\tB A

\\3-grams:
-0.1\t<s> A B

\\end\\
"""


def read_arpa(text: str | bytes, *, max_ngrams: int = 1_000_000) -> ReadModel:
    """Read a file that stands in a test."""
    content = text.encode() if isinstance(text, str) else text
    return ArpaReader(io.BytesIO(content), len(content), max_ngrams).read()


def language_model(text: str, vocabulary: Vocabulary) -> LanguageModel:
    """A file that stands in a test, spelled in the labels of a vocabulary."""
    read = read_arpa(text)
    return LanguageModel(ngrams=read.ngrams, lexicon=build_lexicon(read.ngrams, read.words, vocabulary))


def arpa_of(texts: Sequence[str], order: int = 3) -> str:
    """A file made of texts."""
    return "\n".join(KneserNey((text.split() for text in texts), order).lines()) + "\n"
