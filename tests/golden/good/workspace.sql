--# models
LIST MODEL
--| ListObjects
--|   kind: 'MODEL'
--|   canonical: LIST MODEL

--# tables
list table
--| ListObjects
--|   kind: 'TABLE'
--|   canonical: LIST TABLE

--# models that come with ThanoSQL
LIST THANOSQL MODEL
--| ListObjects
--|   kind: 'THANOSQL MODEL'
--|   canonical: LIST THANOSQL MODEL

--# data that comes with ThanoSQL
LIST THANOSQL DATASET
--| ListObjects
--|   kind: 'THANOSQL DATASET'
--|   canonical: LIST THANOSQL DATASET

--# fetch a model
GET THANOSQL MODEL tutorial_audio_recognition
--| Get
--|   kind: 'MODEL'
--|   name: tutorial_audio_recognition
--|   options: model_name=None, overwrite=False
--|   canonical: GET THANOSQL MODEL tutorial_audio_recognition

--# fetch a model under another name
GET THANOSQL MODEL tutorial_audio_recognition OPTIONS(model_name='mine', overwrite=True)
--| Get
--|   kind: 'MODEL'
--|   name: tutorial_audio_recognition
--|   options: model_name='mine', overwrite=True
--|   canonical: GET THANOSQL MODEL tutorial_audio_recognition OPTIONS(model_name='mine', overwrite=True)

--# fetch data
GET THANOSQL DATASET librispeech_data OPTIONS(overwrite=True)
--| Get
--|   kind: 'DATASET'
--|   name: librispeech_data
--|   options: model_name=None, overwrite=True
--|   canonical: GET THANOSQL DATASET librispeech_data OPTIONS(overwrite=True)

--# jobs
SHOW JOBS
--| ShowJobs
--|   canonical: SHOW JOBS

--# a job
SHOW JOB '7f3a'
--| ShowJob
--|   job_id: 7f3a
--|   canonical: SHOW JOB '7f3a'

--# a job in double quotes
SHOW JOB "7f3a"
--| ShowJob
--|   job_id: 7f3a
--|   canonical: SHOW JOB '7f3a'

--# cancel
CANCEL JOB '7f3a'
--| CancelJob
--|   job_id: 7f3a
--|   canonical: CANCEL JOB '7f3a'

--# explain a query
EXPLAIN SELECT * FROM t
--| Explain
--|   RunQuery
--|     query: SELECT * FROM t
--|       tables: t
--|   canonical: EXPLAIN SELECT * FROM t

--# explain a training
EXPLAIN BUILD MODEL m USING Wav2Vec2En OPTIONS(epochs=1) AS SELECT * FROM t
--| Explain
--|   BuildModel
--|     model: m
--|     base: Wav2Vec2En
--|     query: SELECT * FROM t
--|       tables: t
--|     options: audio_col='audio_path', text_col='text', epochs=1, batch_size=16, learning_rate=0.0001, overwrite=False, seed=None
--|   canonical: EXPLAIN BUILD MODEL m USING Wav2Vec2En OPTIONS(epochs=1) AS SELECT * FROM t

--# explain keeps the notices
EXPLAIN PREDICT USING m OPTIONS(epochs=1) AS SELECT * FROM t
--| Explain
--|   Predict
--|     model: m
--|     query: SELECT * FROM t
--|       tables: t
--|     options: audio_col='audio_path', batch_size=16, result_col='predicted', language='auto', task='transcribe', precision=None, reuse=True, only_new=False, word_times=False, confidence=False, n_best=1
--|   canonical: EXPLAIN PREDICT USING m AS SELECT * FROM t

--# explain a change
EXPLAIN DROP TABLE t
--| Explain
--|   DropTable
--|     table: t
--|     if_exists: False
--|   canonical: EXPLAIN DROP TABLE t

--# explain a query in parentheses
EXPLAIN (SELECT 1)
--| Explain
--|   RunQuery
--|     query: SELECT 1
--|   canonical: EXPLAIN SELECT 1

--# what is kept
SHOW TRANSCRIPTS
--| ShowTranscripts
--|   canonical: SHOW TRANSCRIPTS

--# forget what is kept
delete transcripts
--| DeleteTranscripts
--|   model: None
--|   canonical: DELETE TRANSCRIPTS

--# forget what one model made
DELETE TRANSCRIPTS USING my_model
--| DeleteTranscripts
--|   model: my_model
--|   canonical: DELETE TRANSCRIPTS USING my_model

--# forget what one version made
DELETE TRANSCRIPTS USING my_model.2
--| DeleteTranscripts
--|   model: my_model.2
--|   canonical: DELETE TRANSCRIPTS USING my_model.2

--# what is in memory
SHOW LOADED MODELS
--| ShowLoadedModels
--|   canonical: SHOW LOADED MODELS

--# unload a model
UNLOAD MODEL my_model
--| UnloadModel
--|   model: my_model
--|   canonical: UNLOAD MODEL my_model

--# unload a version
EXPLAIN UNLOAD MODEL my_model.2
--| Explain
--|   UnloadModel
--|     model: my_model.2
--|   canonical: EXPLAIN UNLOAD MODEL my_model.2

--# resume a job
RESUME JOB '7f3a'
--| ResumeJob
--|   job_id: 7f3a
--|   canonical: RESUME JOB '7f3a'

--# evaluations
SHOW EVALUATIONS
--| ShowEvaluations
--|   model: None
--|   canonical: SHOW EVALUATIONS

--# evaluations of a version
show evaluations m.2
--| ShowEvaluations
--|   model: m.2
--|   canonical: SHOW EVALUATIONS m.2

--# evaluations in a query
SELECT version, wer FROM (SHOW EVALUATIONS m) ORDER BY wer
--| RunQuery
--|   query: SELECT version, wer FROM (SELECT * FROM __nested_1) ORDER BY wer
--|     __nested_1: ShowEvaluations
--|       model: m
--|       canonical: SHOW EVALUATIONS m
--|   canonical: SELECT version, wer FROM (SHOW EVALUATIONS m) ORDER BY wer
