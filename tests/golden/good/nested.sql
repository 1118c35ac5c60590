--# the predictions that differ
SELECT text, predicted FROM (PREDICT USING m AS SELECT * FROM t) WHERE text <> predicted
--| RunQuery
--|   query: SELECT text, predicted FROM (SELECT * FROM __nested_1) WHERE text <> predicted
--|     __nested_1: Predict
--|       model: m
--|       query: SELECT * FROM t
--|         tables: t
--|       options: audio_col='audio_path', batch_size=16, result_col='predicted', language='auto', task='transcribe', precision=None, reuse=True, only_new=False, word_times=False, confidence=False, n_best=1
--|       canonical: PREDICT USING m AS SELECT * FROM t
--|   canonical: SELECT text, predicted FROM (PREDICT USING m AS SELECT * FROM t) WHERE text <> predicted

--# media found by a search
PRINT AUDIO AS (SELECT audio_path FROM (SEARCH AUDIO USING m OPTIONS(search_input='a.wav') AS SELECT * FROM t))
--| Print
--|   kind: 'AUDIO'
--|   query: SELECT audio_path FROM (SELECT * FROM __nested_1)
--|     __nested_1: Search
--|       kind: 'AUDIO'
--|       query: SELECT * FROM t
--|         tables: t
--|       options: search_input='a.wav', search_by='audio', emb_col='convert_result', text_col='text', result_col='search_result', top_k=1000
--|       model: m
--|       canonical: SEARCH AUDIO USING m OPTIONS(search_input='a.wav', search_by='audio') AS SELECT * FROM t
--|   options: audio_col='audio_path'
--|   canonical: PRINT AUDIO AS SELECT audio_path FROM (SEARCH AUDIO USING m OPTIONS(search_input='a.wav', search_by='audio') AS SELECT * FROM t)

--# a list in FROM
SELECT * FROM (LIST MODEL) LIMIT 3
--| RunQuery
--|   query: SELECT * FROM (SELECT * FROM __nested_1) LIMIT 3
--|     __nested_1: ListObjects
--|       kind: 'MODEL'
--|       canonical: LIST MODEL
--|   canonical: SELECT * FROM (LIST MODEL) LIMIT 3

--# a list with an alias
SELECT m.name FROM (LIST THANOSQL MODEL) AS m WHERE m.name LIKE 'tutorial%'
--| RunQuery
--|   query: SELECT m.name FROM (SELECT * FROM __nested_1) AS m WHERE m.name LIKE 'tutorial%'
--|     __nested_1: ListObjects
--|       kind: 'THANOSQL MODEL'
--|       canonical: LIST THANOSQL MODEL
--|   canonical: SELECT m.name FROM (LIST THANOSQL MODEL) AS m WHERE m.name LIKE 'tutorial%'

--# a statement as the whole query
PRINT AUDIO AS PREDICT USING m AS SELECT * FROM t
--| Print
--|   kind: 'AUDIO'
--|   query: SELECT * FROM __nested_1
--|     __nested_1: Predict
--|       model: m
--|       query: SELECT * FROM t
--|         tables: t
--|       options: audio_col='audio_path', batch_size=16, result_col='predicted', language='auto', task='transcribe', precision=None, reuse=True, only_new=False, word_times=False, confidence=False, n_best=1
--|       canonical: PREDICT USING m AS SELECT * FROM t
--|   options: audio_col='audio_path'
--|   canonical: PRINT AUDIO AS PREDICT USING m AS SELECT * FROM t

--# in parentheses too
PRINT AUDIO AS ((SEARCH KEYWORD OPTIONS(search_input='hello') AS SELECT * FROM t))
--| Print
--|   kind: 'AUDIO'
--|   query: SELECT * FROM __nested_1
--|     __nested_1: Search
--|       kind: 'KEYWORD'
--|       query: SELECT * FROM t
--|         tables: t
--|       options: search_input='hello', search_by='text', emb_col='convert_result', text_col='text', result_col='search_result', top_k=1000
--|       model: None
--|       canonical: SEARCH KEYWORD OPTIONS(search_input='hello', search_by='text') AS SELECT * FROM t
--|   options: audio_col='audio_path'
--|   canonical: PRINT AUDIO AS SEARCH KEYWORD OPTIONS(search_input='hello', search_by='text') AS SELECT * FROM t

--# three deep
SELECT * FROM (PREDICT USING a AS SELECT * FROM (PREDICT USING b OPTIONS(result_col='first') AS SELECT * FROM (LIST TABLE)))
--| RunQuery
--|   query: SELECT * FROM (SELECT * FROM __nested_1)
--|     __nested_1: Predict
--|       model: a
--|       query: SELECT * FROM (SELECT * FROM __nested_1)
--|         __nested_1: Predict
--|           model: b
--|           query: SELECT * FROM (SELECT * FROM __nested_1)
--|             __nested_1: ListObjects
--|               kind: 'TABLE'
--|               canonical: LIST TABLE
--|           options: audio_col='audio_path', batch_size=16, result_col='first', language='auto', task='transcribe', precision=None, reuse=True, only_new=False, word_times=False, confidence=False, n_best=1
--|           canonical: PREDICT USING b OPTIONS(result_col='first') AS SELECT * FROM (LIST TABLE)
--|       options: audio_col='audio_path', batch_size=16, result_col='predicted', language='auto', task='transcribe', precision=None, reuse=True, only_new=False, word_times=False, confidence=False, n_best=1
--|       canonical: PREDICT USING a AS SELECT * FROM (PREDICT USING b OPTIONS(result_col='first') AS SELECT * FROM (LIST TABLE))
--|   canonical: SELECT * FROM (PREDICT USING a AS SELECT * FROM (PREDICT USING b OPTIONS(result_col='first') AS SELECT * FROM (LIST TABLE)))

--# two beside each other
SELECT a.text, a.predicted, b.predicted FROM (PREDICT USING m.1 AS SELECT * FROM t) a JOIN (PREDICT USING m.2 AS SELECT * FROM t) b USING (id)
--| RunQuery
--|   query: SELECT a.text, a.predicted, b.predicted FROM (SELECT * FROM __nested_1) AS a JOIN (SELECT * FROM __nested_2) AS b USING (id)
--|     __nested_1: Predict
--|       model: m.1
--|       query: SELECT * FROM t
--|         tables: t
--|       options: audio_col='audio_path', batch_size=16, result_col='predicted', language='auto', task='transcribe', precision=None, reuse=True, only_new=False, word_times=False, confidence=False, n_best=1
--|       canonical: PREDICT USING m.1 AS SELECT * FROM t
--|     __nested_2: Predict
--|       model: m.2
--|       query: SELECT * FROM t
--|         tables: t
--|       options: audio_col='audio_path', batch_size=16, result_col='predicted', language='auto', task='transcribe', precision=None, reuse=True, only_new=False, word_times=False, confidence=False, n_best=1
--|       canonical: PREDICT USING m.2 AS SELECT * FROM t
--|   canonical: SELECT a.text, a.predicted, b.predicted FROM (PREDICT USING m.1 AS SELECT * FROM t) a JOIN (PREDICT USING m.2 AS SELECT * FROM t) b USING (id)

--# in a common table expression
WITH p AS (PREDICT USING m AS SELECT * FROM t) SELECT * FROM p JOIN u USING (id)
--| RunQuery
--|   query: WITH p AS (SELECT * FROM __nested_1) SELECT * FROM p JOIN u USING (id)
--|     tables: u
--|     __nested_1: Predict
--|       model: m
--|       query: SELECT * FROM t
--|         tables: t
--|       options: audio_col='audio_path', batch_size=16, result_col='predicted', language='auto', task='transcribe', precision=None, reuse=True, only_new=False, word_times=False, confidence=False, n_best=1
--|       canonical: PREDICT USING m AS SELECT * FROM t
--|   canonical: WITH p AS (PREDICT USING m AS SELECT * FROM t) SELECT * FROM p JOIN u USING (id)

--# in a subquery of a condition
SELECT * FROM t WHERE name IN (SELECT name FROM (LIST MODEL))
--| RunQuery
--|   query: SELECT * FROM t WHERE name IN (SELECT name FROM (SELECT * FROM __nested_1))
--|     tables: t
--|     __nested_1: ListObjects
--|       kind: 'MODEL'
--|       canonical: LIST MODEL
--|   canonical: SELECT * FROM t WHERE name IN (SELECT name FROM (LIST MODEL))

--# as the set of a condition
SELECT * FROM t WHERE name IN (LIST TABLE)
--| RunQuery
--|   query: SELECT * FROM t WHERE name IN (SELECT * FROM __nested_1)
--|     tables: t
--|     __nested_1: ListObjects
--|       kind: 'TABLE'
--|       canonical: LIST TABLE
--|   canonical: SELECT * FROM t WHERE name IN (LIST TABLE)

--# in a union
(PREDICT USING m AS SELECT * FROM t) UNION ALL (PREDICT USING n AS SELECT * FROM u)
--| RunQuery
--|   query: (SELECT * FROM __nested_1) UNION ALL (SELECT * FROM __nested_2)
--|     __nested_1: Predict
--|       model: m
--|       query: SELECT * FROM t
--|         tables: t
--|       options: audio_col='audio_path', batch_size=16, result_col='predicted', language='auto', task='transcribe', precision=None, reuse=True, only_new=False, word_times=False, confidence=False, n_best=1
--|       canonical: PREDICT USING m AS SELECT * FROM t
--|     __nested_2: Predict
--|       model: n
--|       query: SELECT * FROM u
--|         tables: u
--|       options: audio_col='audio_path', batch_size=16, result_col='predicted', language='auto', task='transcribe', precision=None, reuse=True, only_new=False, word_times=False, confidence=False, n_best=1
--|       canonical: PREDICT USING n AS SELECT * FROM u
--|   canonical: (PREDICT USING m AS SELECT * FROM t) UNION ALL (PREDICT USING n AS SELECT * FROM u)

--# parentheses around the query of a nested statement
SELECT * FROM (CONVERT USING m AS (SELECT * FROM t)) AS c ORDER BY id
--| RunQuery
--|   query: SELECT * FROM (SELECT * FROM __nested_1) AS c ORDER BY id
--|     __nested_1: Convert
--|       model: m
--|       query: SELECT * FROM t
--|         tables: t
--|       options: audio_col='audio_path', text_col=None, batch_size=16, result_col='convert_result'
--|       canonical: CONVERT USING m OPTIONS(audio_col='audio_path') AS SELECT * FROM t
--|   canonical: SELECT * FROM (CONVERT USING m OPTIONS(audio_col='audio_path') AS SELECT * FROM t) AS c ORDER BY id

--# a table made of predictions
CREATE TABLE p AS PREDICT USING m AS SELECT * FROM t
--| CreateTableAs
--|   table: p
--|   query: SELECT * FROM __nested_1
--|     __nested_1: Predict
--|       model: m
--|       query: SELECT * FROM t
--|         tables: t
--|       options: audio_col='audio_path', batch_size=16, result_col='predicted', language='auto', task='transcribe', precision=None, reuse=True, only_new=False, word_times=False, confidence=False, n_best=1
--|       canonical: PREDICT USING m AS SELECT * FROM t
--|   or_replace: False
--|   if_not_exists: False
--|   canonical: CREATE TABLE p AS PREDICT USING m AS SELECT * FROM t

--# rows added from predictions
INSERT INTO p (id, text) SELECT id, predicted FROM (PREDICT USING m AS SELECT * FROM t)
--| Insert
--|   table: p
--|   query: SELECT id, predicted FROM (SELECT * FROM __nested_1)
--|     __nested_1: Predict
--|       model: m
--|       query: SELECT * FROM t
--|         tables: t
--|       options: audio_col='audio_path', batch_size=16, result_col='predicted', language='auto', task='transcribe', precision=None, reuse=True, only_new=False, word_times=False, confidence=False, n_best=1
--|       canonical: PREDICT USING m AS SELECT * FROM t
--|   columns: id, text
--|   canonical: INSERT INTO p (id, text) AS SELECT id, predicted FROM (PREDICT USING m AS SELECT * FROM t)

--# a model trained on what a search finds
BUILD MODEL m USING Wav2Vec2En AS SELECT * FROM (SEARCH KEYWORD OPTIONS(search_input='hello', top_k=100) AS SELECT * FROM t)
--| BuildModel
--|   model: m
--|   base: Wav2Vec2En
--|   query: SELECT * FROM (SELECT * FROM __nested_1)
--|     __nested_1: Search
--|       kind: 'KEYWORD'
--|       query: SELECT * FROM t
--|         tables: t
--|       options: search_input='hello', search_by='text', emb_col='convert_result', text_col='text', result_col='search_result', top_k=100
--|       model: None
--|       canonical: SEARCH KEYWORD OPTIONS(search_input='hello', search_by='text', top_k=100) AS SELECT * FROM t
--|   options: audio_col='audio_path', text_col='text', epochs=5, batch_size=16, learning_rate=0.0001, overwrite=False, seed=None
--|   canonical: BUILD MODEL m USING Wav2Vec2En AS SELECT * FROM (SEARCH KEYWORD OPTIONS(search_input='hello', search_by='text', top_k=100) AS SELECT * FROM t)

--# evaluation of a filtered prediction
EVALUATE USING m AS SELECT * FROM t WHERE id NOT IN (SELECT id FROM (PREDICT USING m AS SELECT * FROM t) WHERE predicted = '')
--| Evaluate
--|   model: m
--|   query: SELECT * FROM t WHERE NOT id IN (SELECT id FROM (SELECT * FROM __nested_1) WHERE predicted = '')
--|     tables: t
--|     __nested_1: Predict
--|       model: m
--|       query: SELECT * FROM t
--|         tables: t
--|       options: audio_col='audio_path', batch_size=16, result_col='predicted', language='auto', task='transcribe', precision=None, reuse=True, only_new=False, word_times=False, confidence=False, n_best=1
--|       canonical: PREDICT USING m AS SELECT * FROM t
--|   options: audio_col='audio_path', text_col='text', batch_size=16, precision=None, reuse=False, slice_by=[], resample_by=None, per_row=False
--|   canonical: EVALUATE USING m AS SELECT * FROM t WHERE id NOT IN (SELECT id FROM (PREDICT USING m AS SELECT * FROM t) WHERE predicted = '')

--# the rows of an evaluation, worst first
SELECT text, difference FROM (EVALUATE USING m OPTIONS(per_row=True) AS SELECT * FROM t) ORDER BY wer DESC
--| RunQuery
--|   query: SELECT text, difference FROM (SELECT * FROM __nested_1) ORDER BY wer DESC NULLS FIRST
--|     __nested_1: Evaluate
--|       model: m
--|       query: SELECT * FROM t
--|         tables: t
--|       options: audio_col='audio_path', text_col='text', batch_size=16, precision=None, reuse=False, slice_by=[], resample_by=None, per_row=True
--|       canonical: EVALUATE USING m OPTIONS(per_row=True) AS SELECT * FROM t
--|   canonical: SELECT text, difference FROM (EVALUATE USING m OPTIONS(per_row=True) AS SELECT * FROM t) ORDER BY wer DESC

--# the scores of an evaluation
SELECT wer FROM (EVALUATE USING m OPTIONS(slice_by='gender') AS SELECT * FROM t) WHERE gender = 'f'
--| RunQuery
--|   query: SELECT wer FROM (SELECT * FROM __nested_1) WHERE gender = 'f'
--|     __nested_1: Evaluate
--|       model: m
--|       query: SELECT * FROM t
--|         tables: t
--|       options: audio_col='audio_path', text_col='text', batch_size=16, precision=None, reuse=False, slice_by=['gender'], resample_by=None, per_row=False
--|       canonical: EVALUATE USING m OPTIONS(slice_by=['gender']) AS SELECT * FROM t
--|   canonical: SELECT wer FROM (EVALUATE USING m OPTIONS(slice_by=['gender']) AS SELECT * FROM t) WHERE gender = 'f'

--# a column called evaluate
SELECT (evaluate + 1) AS more FROM t
--| RunQuery
--|   query: SELECT (evaluate + 1) AS more FROM t
--|     tables: t
--|   canonical: SELECT (evaluate + 1) AS more FROM t

--# a string that looks like a nested statement
SELECT '(PREDICT USING m AS SELECT 1)' FROM t
--| RunQuery
--|   query: SELECT '(PREDICT USING m AS SELECT 1)' FROM t
--|     tables: t
--|   canonical: SELECT '(PREDICT USING m AS SELECT 1)' FROM t

--# parentheses around the whole
(LIST MODEL)
--| ListObjects
--|   kind: 'MODEL'
--|   canonical: LIST MODEL

--# notices of a nested statement stay with it
SELECT * FROM (PREDICT USING m OPTIONS(epochs=3) AS SELECT * FROM t)
--| RunQuery
--|   query: SELECT * FROM (SELECT * FROM __nested_1)
--|     __nested_1: Predict
--|       model: m
--|       query: SELECT * FROM t
--|         tables: t
--|       options: audio_col='audio_path', batch_size=16, result_col='predicted', language='auto', task='transcribe', precision=None, reuse=True, only_new=False, word_times=False, confidence=False, n_best=1
--|       notice: 1:40 option 'epochs' has no effect in PREDICT
--|       canonical: PREDICT USING m AS SELECT * FROM t
--|   canonical: SELECT * FROM (PREDICT USING m AS SELECT * FROM t)
