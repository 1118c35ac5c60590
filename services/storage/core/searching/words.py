"""The analyser: how a text becomes words, and which words are alike. It is SQL, so that DuckDB runs it.

The texts of a table, the rows of a query and what is searched for all pass through it. A word is a run of
letters and digits, which may hold apostrophes; case and accents do not count. Writing without spaces, or with
endings that are written on (Korean, Chinese, Japanese, Thai), is searched inside of words too.
"""

_LETTERS = r"[\p{L}\p{M}\p{N}]+"
_UNSPACED = r"[\p{Hangul}\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]"

# A syllable of Hangul is two or three letters; each becomes one byte, because DuckDB compares bytes.
_FIRST_SYLLABLE, _LAST_SYLLABLE = 44032, 55203
_SYLLABLE = f"unicode(c) - {_FIRST_SYLLABLE}"
_JAMO = (
    f"chr(33 + ({_SYLLABLE}) // 588) || chr(52 + ({_SYLLABLE}) % 588 // 28) || "
    f"CASE WHEN ({_SYLLABLE}) % 28 > 0 THEN chr(72 + ({_SYLLABLE}) % 28) ELSE '' END"
)

ANALYSER = (
    # Composed first: some systems write Hangul and accents as several characters.
    "CREATE OR REPLACE TEMP MACRO __search_words(s) AS regexp_extract_all("
    f"lower(strip_accents(nfc_normalize(translate(s, '’', '''')))), '{_LETTERS}(?:''{_LETTERS})*')",
    f"CREATE OR REPLACE TEMP MACRO __search_unspaced(w) AS regexp_matches(w, '{_UNSPACED}')",
    "CREATE OR REPLACE TEMP MACRO __search_letters(w) AS list_aggregate(list_transform(string_split(w, ''), "
    f"lambda c: CASE WHEN unicode(c) BETWEEN {_FIRST_SYLLABLE} AND {_LAST_SYLLABLE} "
    f"THEN {_JAMO} ELSE c END), 'string_agg', '')",
    # One slip from three letters on, two from six; in two letters everything is alike. What is very long is
    # no word, and comparing it could not be interrupted.
    "CREATE OR REPLACE TEMP MACRO __search_slips(letters) AS "
    "CASE WHEN length(letters) < 3 OR length(letters) > 64 THEN 0 WHEN length(letters) < 6 THEN 1 ELSE 2 END",
    # An ending that is written on is no slip. Words are short here: no guard is needed.
    "CREATE OR REPLACE TEMP MACRO __search_distance(w, t) AS CASE WHEN __search_unspaced(w) "
    "THEN system.main.damerau_levenshtein(__search_letters(w), __search_letters(left(t, length(w)))) "
    "ELSE system.main.damerau_levenshtein(w, t) END",
    # How much a word of a text counts that holds the word searched for.
    "CREATE OR REPLACE TEMP MACRO __search_part(w, t) AS "
    "CASE WHEN w = t THEN 1.0 WHEN starts_with(t, w) THEN 0.8 ELSE 0.6 END",
)
"""Statements that make the analyser known to a connection."""
