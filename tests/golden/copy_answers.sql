--# the columns with the types that were inferred
COPY u FROM 'people.csv'
--| name  string
--| age  int64
--| born  date32[day]
--| 2 rows copied into u

--# rows that cannot be read
COPY u FROM 'broken.csv'
--| a  int64
--| b  int64
--| 2 rows copied into u, 2 rows left out: see u_quarantine
--| row 1  line 3: 1 field where the header has 2 INVALID_DATA
--| row 2  line 4: 3 fields where the header has 2 INVALID_DATA

--# records in the statement
COPY u FROM '[{"word": "one", "digit": 1}, 7, {"word": "two", "digit": 2.5, "tags": ["a"]}]'
--| word  string
--| digit  double
--| tags  list<l: string>
--| 2 rows copied into u, 1 row left out: see u_quarantine
--| row 1  line 1: not a JSON object INVALID_DATA

--# a folder of audio
COPY u FROM 'audio'
--| audio_path  string
--| duration  double
--| sample_rate  int64
--| channels  int64
--| file_size  int64
--| 1 row copied into u, 1 row left out: see u_quarantine
--| row 0  audio/text.wav: the recording cannot be read: Format not recognised AUDIO_UNREADABLE

--# a LibriSpeech tree
COPY u FROM 'libri'
--| audio_path  string
--| text  string
--| speaker_id  string
--| chapter_id  string
--| duration  double
--| 1 row copied into u, 2 rows left out: see u_quarantine
--| row 1  libri/84/1/84-1-0002: the transcript names a recording that is not there AUDIO_NOT_FOUND
--| row 2  libri/84/1/84-1-0001.flac: no transcript names this recording TEXT_EMPTY

--# rows that widen a column and lack another
COPY t OPTIONS(if_exists='append') FROM '[{"age": 30.5}]'
--| name  string
--| age  double
--| born  date32[day]
--| 1 row copied into t
--| notice: column 'age' was widened from int64 to double
--| notice: column 'name' is not in the JSON text: NULL in these rows
--| notice: column 'born' is not in the JSON text: NULL in these rows

--# what EXPLAIN says
EXPLAIN COPY t OPTIONS(if_exists='append') FROM 'people.csv'
--| 1  read 'people.csv', csv, 50 bytes: name string, age int64, born date32[day]
--| 2  keep rows that cannot be read in table 't_quarantine'
--| 3  add to table 't' in one commit
--| 3 rows

--# what EXPLAIN says of rows that cannot be read
EXPLAIN COPY u FROM 'broken.csv'
--| 1  read 'broken.csv', csv, 24 bytes: a int64, b int64
--| 2  keep rows that cannot be read in table 'u_quarantine': 2 rows, the first is line 3: 1 field where the header has 2
--| 3  make table 'u' in one commit
--| 3 rows

--# what EXPLAIN says of records that widen a column and lack another
EXPLAIN COPY t OPTIONS(if_exists='append') FROM '[{"age": 30.5}]'
--| 1  read the JSON text, 15 bytes: age double
--| 2  keep rows that cannot be read in table 't_quarantine'
--| 3  add to table 't' in one commit
--| 4  column 'age' would be widened from int64 to double
--| 5  column 'name' is not in the JSON text: NULL in these rows
--| 6  column 'born' is not in the JSON text: NULL in these rows
--| 6 rows

--# what EXPLAIN says of a LibriSpeech tree
EXPLAIN COPY t OPTIONS(overwrite=True) FROM 'libri'
--| 1  read 'libri', LibriSpeech tree, 3 files, 235 bytes: audio_path string, text string, speaker_id string, chapter_id string, duration double
--| 2  keep rows that cannot be read in table 't_quarantine': 2 rows, the first is libri/84/1/84-1-0002: the transcript names a recording that is not there
--| 3  replace table 't' in one commit
--| 3 rows

--# what EXPLAIN says of text for a column of numbers
EXPLAIN COPY t OPTIONS(if_exists='append') FROM 'text_age.csv'
--| error: column 'age' of table 't' holds int64, but 'text_age.csv' gives text such as 'unknown'; mend the file, or copy into another table
--|   line 1  |   EXPLAIN COPY t OPTIONS(if_exists='append') FROM 'text_age.csv'
--|           |                                                   ^^^^^^^^^^^^^^
--| INVALID_DATA

--# a table that is there
COPY t FROM 'people.csv'
--| error: table 't' exists already; use OPTIONS (overwrite=True) to replace it, or if_exists='append' to add to it
--|   line 1  |   COPY t FROM 'people.csv'
--|           |        ^
--| TABLE_ALREADY_EXISTS

--# a table that is there, in EXPLAIN
EXPLAIN COPY t FROM 'people.csv'
--| error: table 't' exists already; use OPTIONS (overwrite=True) to replace it, or if_exists='append' to add to it
--|   line 1  |   EXPLAIN COPY t FROM 'people.csv'
--|           |                ^
--| TABLE_ALREADY_EXISTS

--# a file that is not there
COPY u FROM 'peopel.csv'
--| error: file 'peopel.csv' does not exist in the server's workspace; did you mean 'people.csv'?
--|   line 1  |   COPY u FROM 'peopel.csv'
--|           |               ^^^^^^^^^^^^
--| FILE_NOT_FOUND

--# a folder that is not there
COPY u FROM 'audios/'
--| error: file 'audios' does not exist in the server's workspace
--|   line 1  |   COPY u FROM 'audios/'
--|           |               ^^^^^^^^^
--| FILE_NOT_FOUND

--# a path that leaves the workspace
COPY u FROM '../people.csv'
--| error: path '../people.csv' leaves the workspace; paths are relative to it, without '..' or links that lead out
--|   line 1  |   COPY u FROM '../people.csv'
--|           |               ^^^^^^^^^^^^^^^
--| PATH_OUTSIDE_WORKSPACE

--# an absolute path
COPY u FROM "/etc/passwd"
--| error: path '/etc/passwd' leaves the workspace; paths are relative to it, without '..' or links that lead out
--|   line 1  |   COPY u FROM "/etc/passwd"
--|           |               ^^^^^^^^^^^^^
--| PATH_OUTSIDE_WORKSPACE

--# a link that leads out
COPY u FROM 'link_out/passwd'
--| error: path 'link_out/passwd' leaves the workspace; paths are relative to it, without '..' or links that lead out
--|   line 1  |   COPY u FROM 'link_out/passwd'
--|           |               ^^^^^^^^^^^^^^^^^
--| PATH_OUTSIDE_WORKSPACE

--# a hidden file
COPY u FROM '.env'
--| error: file '.env' does not exist in the server's workspace
--|   line 1  |   COPY u FROM '.env'
--|           |               ^^^^^^
--| FILE_NOT_FOUND

--# another format
COPY u FROM 'notes.md'
--| error: 'notes.md' is not a format that COPY reads: .csv, .tsv, .json, .jsonl, .ndjson, .parquet, .xlsx, .xls, or a folder of audio
--|   line 1  |   COPY u FROM 'notes.md'
--|           |               ^^^^^^^^^^
--| UNSUPPORTED_FORMAT

--# a file without an extension
COPY u FROM 'LICENSE'
--| error: 'LICENSE' is not a format that COPY reads: .csv, .tsv, .json, .jsonl, .ndjson, .parquet, .xlsx, .xls, or a folder of audio
--|   line 1  |   COPY u FROM 'LICENSE'
--|           |               ^^^^^^^^^
--| UNSUPPORTED_FORMAT

--# another encoding
COPY u FROM 'latin.csv'
--| error: 'latin.csv' is not UTF-8: the byte at offset 8 is wrong; save it as UTF-8 first
--|   line 1  |   COPY u FROM 'latin.csv'
--|           |               ^^^^^^^^^^^
--| INVALID_ENCODING

--# a file as Excel saves it
COPY u FROM 'utf16.csv'
--| error: 'utf16.csv' is not UTF-8: the byte at offset 0 is wrong; it looks like UTF-16; save it as UTF-8 first
--|   line 1  |   COPY u FROM 'utf16.csv'
--|           |               ^^^^^^^^^^^
--| INVALID_ENCODING

--# another encoding in json
COPY u FROM 'latin.jsonl'
--| error: 'latin.jsonl' is not UTF-8: the byte at offset 13 is wrong; save it as UTF-8 first
--|   line 1  |   COPY u FROM 'latin.jsonl'
--|           |               ^^^^^^^^^^^^^
--| INVALID_ENCODING

--# another encoding in a transcript
COPY u FROM 'latin_libri'
--| error: 'latin_libri/a.trans.txt' is not UTF-8: the byte at offset 5 is wrong; save it as UTF-8 first
--|   line 1  |   COPY u FROM 'latin_libri'
--|           |               ^^^^^^^^^^^^^
--| INVALID_ENCODING

--# an empty file
COPY u FROM 'empty.csv'
--| error: 'empty.csv' is empty: it has no header line
--|   line 1  |   COPY u FROM 'empty.csv'
--|           |               ^^^^^^^^^^^
--| INVALID_DATA

--# another delimiter
COPY t OPTIONS(overwrite=True) FROM 'semicolons.csv'
--| error: no row of 'semicolons.csv' can be read (2 tried); line 2: 1 field where the header has 2
--|   line 1  |   COPY t OPTIONS(overwrite=True) FROM 'semicolons.csv'
--|           |                                       ^^^^^^^^^^^^^^^^
--| INVALID_DATA

--# a column twice
COPY u FROM 'twice.csv'
--| error: column names must differ, whatever their case; given twice: name
--|   line 1  |   COPY u FROM 'twice.csv'
--|           |               ^^^^^^^^^^^
--| INVALID_DATA

--# a name that no column can have
COPY u FROM 'control.csv'
--| error: the header names a column 'na\x07me', which cannot be kept; rename it
--|   line 1  |   COPY u FROM 'control.csv'
--|           |               ^^^^^^^^^^^^^
--| INVALID_DATA

--# a quote that never ends
COPY u FROM 'quote.csv'
--| error: 'quote.csv' cannot be read: a row is longer than 1 MiB; is there a quote that nothing closes?
--|   line 1  |   COPY u FROM 'quote.csv'
--|           |               ^^^^^^^^^^^
--| INVALID_DATA

--# a json file that is none
COPY u FROM 'broken.json'
--| error: 'broken.json' cannot be read: line 2: expecting ':' delimiter
--|   line 1  |   COPY u FROM 'broken.json'
--|           |               ^^^^^^^^^^^^^
--| INVALID_DATA

--# a json file without records
COPY u FROM 'numbers.json'
--| error: no row of 'numbers.json' can be read (2 tried); line 1: not a JSON object
--|   line 1  |   COPY u FROM 'numbers.json'
--|           |               ^^^^^^^^^^^^^^
--| INVALID_DATA

--# an empty json file
COPY u FROM 'empty.jsonl'
--| error: 'empty.jsonl' holds no JSON object
--|   line 1  |   COPY u FROM 'empty.jsonl'
--|           |               ^^^^^^^^^^^^^
--| INVALID_DATA

--# a parquet file that is none
COPY u FROM 'broken.parquet'
--| error: 'broken.parquet' cannot be read: Parquet magic bytes not found in footer. Either the file is corrupted or this is not a parquet file.
--|   line 1  |   COPY u FROM 'broken.parquet'
--|           |               ^^^^^^^^^^^^^^^^
--| INVALID_DATA

--# an Excel file that is none
COPY u FROM 'broken.xlsx'
--| error: 'broken.xlsx' cannot be read: it is not an Excel file
--|   line 1  |   COPY u FROM 'broken.xlsx'
--|           |               ^^^^^^^^^^^^^
--| INVALID_DATA

--# records that end in the middle
COPY u FROM '[{"word": "one"'
--| error: the JSON text cannot be read: line 1: expecting ',' delimiter
--|   line 1  |   COPY u FROM '[{"word": "one"'
--|           |               ^^^^^^^^^^^^^^^^^
--| INVALID_DATA

--# records that are none
COPY u FROM '[1, 2]'
--| error: no row of the JSON text can be read (2 tried); line 1: not a JSON object
--|   line 1  |   COPY u FROM '[1, 2]'
--|           |               ^^^^^^^^
--| INVALID_DATA

--# no records
COPY u FROM '[]'
--| error: the JSON text holds no JSON object
--|   line 1  |   COPY u FROM '[]'
--|           |               ^^^^
--| INVALID_DATA

--# a folder without audio
COPY u FROM 'texts'
--| error: folder 'texts' holds no audio files; COPY reads .aif, .aiff, .au, .caf, .flac, .mp3, .oga, .ogg, .opus, .w64, .wav
--|   line 1  |   COPY u FROM 'texts'
--|           |               ^^^^^^^
--| INVALID_DATA

--# a folder without audio that can be read
COPY u FROM 'noise'
--| error: no row of 'noise' can be read (1 tried); noise/a.wav: the recording cannot be read: Format not recognised
--|   line 1  |   COPY u FROM 'noise'
--|           |               ^^^^^^^
--| INVALID_DATA

--# rows with a column that the table lacks
COPY t OPTIONS(if_exists='append') FROM '[{"nane": "x"}]'
--| error: the JSON text has a column 'nane', which table 't' lacks; add it with ALTER TABLE ... ADD COLUMN, or leave it out
--|   line 1  |   COPY t OPTIONS(if_exists='append') FROM '[{"nane": "x"}]'
--|           |                                           ^^^^^^^^^^^^^^^^^ did you mean 'name'? known: name, age, born
--| COLUMN_NOT_FOUND

--# text for a column of numbers
COPY t OPTIONS(if_exists='append') FROM 'text_age.csv'
--| error: column 'age' of table 't' holds int64, but 'text_age.csv' gives text such as 'unknown'; mend the file, or copy into another table
--|   line 1  |   COPY t OPTIONS(if_exists='append') FROM 'text_age.csv'
--|           |                                           ^^^^^^^^^^^^^^
--| INVALID_DATA

--# a type that has nothing in common
COPY t OPTIONS(if_exists='append') FROM '[{"age": true}]'
--| error: column 'age' of table 't' holds int64, but the JSON text gives bool; mend the file, or copy into another table
--|   line 1  |   COPY t OPTIONS(if_exists='append') FROM '[{"age": true}]'
--|           |                                           ^^^^^^^^^^^^^^^^^
--| INVALID_DATA

--# a number that another type cannot hold
COPY wide OPTIONS(if_exists='append') FROM '[{"x": 9007199254740993}]'
--| error: column 'x' of table 'wide' holds double, but the JSON text gives int64 that does not fit (Integer value 9007199254740993 not in range: -9007199254740992 to 9007199254740992); mend the file, or copy into another table
--|   line 1  |   COPY wide OPTIONS(if_exists='append') FROM '[{"x": 9007199254740993}]'
--|           |                                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^
--| INVALID_DATA

--# the quarantine's name is taken
CREATE TABLE u_quarantine AS SELECT 1 AS mine; COPY u FROM 'broken.csv'
--| error: some rows cannot be read, and 'u_quarantine', which would hold them, is a table of another kind; drop that one, or copy into a table other than 'u'
--|   line 1  |   CREATE TABLE u_quarantine AS SELECT 1 AS mine; COPY u FROM 'broken.csv'
--|           |                                                       ^
--| TABLE_ALREADY_EXISTS

--# a reserved name
COPY __u FROM 'people.csv'
--| error: table name '__u': names that start with two underscores are the system's own
--|   line 1  |   COPY __u FROM 'people.csv'
--|           |        ^^^
--| INVALID_NAME

--# recordings that are taken into keeping
COPY u OPTIONS(store_audio=True) FROM 'audio'
--| audio_path  string
--| duration  double
--| sample_rate  int64
--| channels  int64
--| file_size  int64
--| source_path  string
--| audio_sha256  string
--| 1 row copied into u, 1 row left out: see u_quarantine
--| notice: 1 row names a recording kept by content: 1 was stored now, 3244 bytes
--| row 0  audio/text.wav: the recording cannot be read: Format not recognised AUDIO_UNREADABLE

--# what EXPLAIN says of them
EXPLAIN COPY u OPTIONS(store_audio=True) FROM 'audio'
--| 1  read 'audio', folder of audio, 2 files, 3264 bytes: audio_path string, duration double, sample_rate int64, channels int64, file_size int64, source_path string, audio_sha256 string
--| 2  store what is not in keeping yet under audio/sha256/, each recording once by its content: 2 recordings, 3264 bytes
--| 3  keep rows that cannot be read in table 'u_quarantine': 1 row, the first is audio/text.wav: the recording cannot be read: Format not recognised
--| 4  make table 'u' in one commit
--| 4 rows
