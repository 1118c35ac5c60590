--# a table at a version
SELECT * FROM t AT VERSION 3
--| RunQuery
--|   query: SELECT * FROM "__version_3_of_t" AS "t"
--|     __version_3_of_t: t at version 3
--|   canonical: SELECT * FROM t AT VERSION 3

--# several tables, each at its version
SELECT now.text, was.text FROM t AS now JOIN t AT VERSION 2 AS was ON now.id = was.id, "my t" at version 1
--| RunQuery
--|   query: SELECT now.text, was.text FROM t AS now JOIN "__version_2_of_t" AS was ON now.id = was.id, "__version_1_of_my t" AS "my t"
--|     tables: t
--|     __version_2_of_t: t at version 2
--|     __version_1_of_my t: my t at version 1
--|   canonical: SELECT now.text, was.text FROM t AS now JOIN t AT VERSION 2 AS was ON now.id = was.id, "my t" AT VERSION 1

--# a column through the name of a table at a version
SELECT t.text FROM t AT VERSION 3 WHERE t.id = 1
--| RunQuery
--|   query: SELECT t.text FROM "__version_3_of_t" AS "t" WHERE t.id = 1
--|     __version_3_of_t: t at version 3
--|   canonical: SELECT t.text FROM t AT VERSION 3 WHERE t.id = 1

--# versions in subqueries
SELECT * FROM t WHERE id NOT IN (SELECT id FROM t AT VERSION 1) AND id IN (SELECT id FROM T AT VERSION 1)
--| RunQuery
--|   query: SELECT * FROM t WHERE NOT id IN (SELECT id FROM "__version_1_of_t" AS "T") AND id IN (SELECT id FROM "__version_1_of_t" AS "T")
--|     tables: t
--|     __version_1_of_t: t at version 1
--|   canonical: SELECT * FROM t WHERE id NOT IN (SELECT id FROM t AT VERSION 1) AND id IN (SELECT id FROM T AT VERSION 1)

--# a common table expression does not hide a version
WITH t AS (SELECT 1 AS id) SELECT * FROM t AT VERSION 3, t AS u
--| RunQuery
--|   query: WITH t AS (SELECT 1 AS id) SELECT * FROM "__version_3_of_t" AS "t", t AS u
--|     __version_3_of_t: t at version 3
--|   canonical: WITH t AS (SELECT 1 AS id) SELECT * FROM t AT VERSION 3, t AS u

--# at and version are names elsewhere
SELECT at version, t.at FROM t
--| RunQuery
--|   query: SELECT "at" AS version, t."at" FROM t
--|     tables: t
--|   canonical: SELECT at version, t.at FROM t

--# a time zone beside a version
SELECT moment AT TIME ZONE 'UTC' FROM t AT VERSION 2
--| RunQuery
--|   query: SELECT moment AT TIME ZONE 'UTC' FROM "__version_2_of_t" AS "t"
--|     __version_2_of_t: t at version 2
--|   canonical: SELECT moment AT TIME ZONE 'UTC' FROM t AT VERSION 2

--# TABLE at a version
TABLE t AT VERSION 3
--| RunQuery
--|   query: SELECT * FROM "__version_3_of_t" AS "t"
--|     __version_3_of_t: t at version 3
--|   canonical: TABLE t AT VERSION 3

--# predict at a version
PREDICT USING m AS SELECT * FROM t AT VERSION 4
--| Predict
--|   model: m
--|   query: SELECT * FROM "__version_4_of_t" AS "t"
--|     __version_4_of_t: t at version 4
--|   options: audio_col='audio_path', batch_size=16, result_col='predicted', language='auto', task='transcribe', precision=None, reuse=True, only_new=False, word_times=False, confidence=False, n_best=1
--|   canonical: PREDICT USING m AS SELECT * FROM t AT VERSION 4

--# build at a version
BUILD MODEL m USING Wav2Vec2En OPTIONS(epochs=1) AS SELECT * FROM t AT VERSION 4 WHERE length(text) > 3
--| BuildModel
--|   model: m
--|   base: Wav2Vec2En
--|   query: SELECT * FROM "__version_4_of_t" AS "t" WHERE LENGTH(text) > 3
--|     __version_4_of_t: t at version 4
--|   options: audio_col='audio_path', text_col='text', epochs=1, batch_size=16, learning_rate=0.0001, overwrite=False, seed=None
--|   canonical: BUILD MODEL m USING Wav2Vec2En OPTIONS(epochs=1) AS SELECT * FROM t AT VERSION 4 WHERE length(text) > 3

--# print at a version, nested
PRINT AUDIO AS SELECT audio_path FROM (PREDICT USING m AS SELECT * FROM t AT VERSION 4)
--| Print
--|   kind: 'AUDIO'
--|   query: SELECT audio_path FROM (SELECT * FROM __nested_1)
--|     __nested_1: Predict
--|       model: m
--|       query: SELECT * FROM "__version_4_of_t" AS "t"
--|         __version_4_of_t: t at version 4
--|       options: audio_col='audio_path', batch_size=16, result_col='predicted', language='auto', task='transcribe', precision=None, reuse=True, only_new=False, word_times=False, confidence=False, n_best=1
--|       canonical: PREDICT USING m AS SELECT * FROM t AT VERSION 4
--|   options: audio_col='audio_path'
--|   canonical: PRINT AUDIO AS SELECT audio_path FROM (PREDICT USING m AS SELECT * FROM t AT VERSION 4)

--# a table from a version
CREATE TABLE old AS SELECT * FROM t AT VERSION 1
--| CreateTableAs
--|   table: old
--|   query: SELECT * FROM "__version_1_of_t" AS "t"
--|     __version_1_of_t: t at version 1
--|   or_replace: False
--|   if_not_exists: False
--|   canonical: CREATE TABLE old AS SELECT * FROM t AT VERSION 1

--# explain a query at a version
EXPLAIN SELECT * FROM t AT VERSION 1
--| Explain
--|   RunQuery
--|     query: SELECT * FROM "__version_1_of_t" AS "t"
--|       __version_1_of_t: t at version 1
--|   canonical: EXPLAIN SELECT * FROM t AT VERSION 1

--# versions of a table
SHOW TABLE VERSIONS t
--| ShowTableVersions
--|   table: t
--|   canonical: SHOW TABLE VERSIONS t

--# versions of a table in a query
SELECT version FROM (SHOW TABLE VERSIONS "my t") WHERE operation = 'COPY'
--| RunQuery
--|   query: SELECT version FROM (SELECT * FROM __nested_1) WHERE operation = 'COPY'
--|     __nested_1: ShowTableVersions
--|       table: my t
--|       canonical: SHOW TABLE VERSIONS "my t"
--|   canonical: SELECT version FROM (SHOW TABLE VERSIONS "my t") WHERE operation = 'COPY'

--# versions of a model in a query
SELECT version, wer FROM (SHOW MODEL VERSIONS m) ORDER BY wer
--| RunQuery
--|   query: SELECT version, wer FROM (SELECT * FROM __nested_1) ORDER BY wer
--|     __nested_1: ShowModelVersions
--|       model: m
--|       canonical: SHOW MODEL VERSIONS m
--|   canonical: SELECT version, wer FROM (SHOW MODEL VERSIONS m) ORDER BY wer

--# restore
RESTORE TABLE t TO VERSION 2
--| RestoreTable
--|   table: t
--|   version: 2
--|   canonical: RESTORE TABLE t TO VERSION 2

--# restore in small letters, explained
explain restore table "my t" to version 12
--| Explain
--|   RestoreTable
--|     table: my t
--|     version: 12
--|   canonical: EXPLAIN RESTORE TABLE "my t" TO VERSION 12

--# version and restore are names
SELECT version, restore FROM restore
--| RunQuery
--|   query: SELECT version, restore FROM restore
--|     tables: restore
--|   canonical: SELECT version, restore FROM restore
