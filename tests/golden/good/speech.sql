--# predict with every default
PREDICT USING m AS SELECT * FROM t
--| Predict
--|   model: m
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', batch_size=16, result_col='predicted', language='auto', task='transcribe', precision=None, reuse=True, only_new=False, word_times=False, confidence=False, n_best=1
--|   canonical: PREDICT USING m AS SELECT * FROM t

--# predict with a version
PREDICT USING m.2 AS SELECT * FROM t
--| Predict
--|   model: m.2
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', batch_size=16, result_col='predicted', language='auto', task='transcribe', precision=None, reuse=True, only_new=False, word_times=False, confidence=False, n_best=1
--|   canonical: PREDICT USING m.2 AS SELECT * FROM t

--# predict with every option
PREDICT USING Whisper OPTIONS(audio_col='path', batch_size=1, result_col='heard', language='ko', task='translate') AS SELECT * FROM t
--| Predict
--|   model: Whisper
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='path', batch_size=1, result_col='heard', language='ko', task='translate', precision=None, reuse=True, only_new=False, word_times=False, confidence=False, n_best=1
--|   canonical: PREDICT USING Whisper OPTIONS(audio_col='path', batch_size=1, result_col='heard', language='ko', task='translate') AS SELECT * FROM t

--# predict what is new, and nothing from what is kept
PREDICT USING m OPTIONS(reuse=False, only_new=True) AS SELECT * FROM t
--| Predict
--|   model: m
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', batch_size=16, result_col='predicted', language='auto', task='transcribe', precision=None, reuse=False, only_new=True, word_times=False, confidence=False, n_best=1
--|   canonical: PREDICT USING m OPTIONS(reuse=False, only_new=True) AS SELECT * FROM t

--# evaluate with what is kept
EVALUATE USING m OPTIONS(reuse=True) AS SELECT * FROM t
--| Evaluate
--|   model: m
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', text_col='text', batch_size=16, precision=None, reuse=True, slice_by=[], resample_by=None, per_row=False
--|   canonical: EVALUATE USING m OPTIONS(reuse=True) AS SELECT * FROM t

--# predict with words, their times, confidence and several readings
PREDICT USING m OPTIONS(word_times=True, confidence=true, n_best=3) AS SELECT * FROM t
--| Predict
--|   model: m
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', batch_size=16, result_col='predicted', language='auto', task='transcribe', precision=None, reuse=True, only_new=False, word_times=True, confidence=True, n_best=3
--|   canonical: PREDICT USING m OPTIONS(word_times=True, confidence=True, n_best=3) AS SELECT * FROM t

--# options that only training needs
PREDICT USING m OPTIONS(text_col='text', max_epochs=1, learning_rate=0.1, overwrite=True) AS SELECT * FROM t
--| Predict
--|   model: m
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', batch_size=16, result_col='predicted', language='auto', task='transcribe', precision=None, reuse=True, only_new=False, word_times=False, confidence=False, n_best=1
--|   notice: 1:25 option 'text_col' has no effect in PREDICT
--|   notice: 1:42 option 'max_epochs' has no effect in PREDICT
--|   notice: 1:56 option 'learning_rate' has no effect in PREDICT
--|   notice: 1:75 option 'overwrite' has no effect in PREDICT
--|   canonical: PREDICT USING m AS SELECT * FROM t

--# an option without effect may hold anything
PREDICT USING m OPTIONS(epochs='many') AS SELECT * FROM t
--| Predict
--|   model: m
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', batch_size=16, result_col='predicted', language='auto', task='transcribe', precision=None, reuse=True, only_new=False, word_times=False, confidence=False, n_best=1
--|   notice: 1:25 option 'epochs' has no effect in PREDICT
--|   canonical: PREDICT USING m AS SELECT * FROM t

--# line breaks anywhere
PREDICT
  USING m
  OPTIONS (
    audio_col = 'path'
  )
AS
  SELECT *
  FROM t
--| Predict
--|   model: m
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='path', batch_size=16, result_col='predicted', language='auto', task='transcribe', precision=None, reuse=True, only_new=False, word_times=False, confidence=False, n_best=1
--|   canonical: PREDICT USING m OPTIONS(audio_col='path') AS SELECT * FROM t

--# evaluate
EVALUATE USING m AS SELECT * FROM t
--| Evaluate
--|   model: m
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', text_col='text', batch_size=16, precision=None, reuse=False, slice_by=[], resample_by=None, per_row=False
--|   canonical: EVALUATE USING m AS SELECT * FROM t

--# evaluate with options
EVALUATE USING m OPTIONS(audio_col='path', text_col='words', batch_size=4, epochs=1) AS SELECT * FROM t
--| Evaluate
--|   model: m
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='path', text_col='words', batch_size=4, precision=None, reuse=False, slice_by=[], resample_by=None, per_row=False
--|   notice: 1:76 option 'epochs' has no effect in EVALUATE
--|   canonical: EVALUATE USING m OPTIONS(audio_col='path', text_col='words', batch_size=4) AS SELECT * FROM t

--# evaluate row by row
EVALUATE USING m OPTIONS(per_row=True) AS SELECT * FROM t
--| Evaluate
--|   model: m
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', text_col='text', batch_size=16, precision=None, reuse=False, slice_by=[], resample_by=None, per_row=True
--|   canonical: EVALUATE USING m OPTIONS(per_row=True) AS SELECT * FROM t

--# keep an evaluation
CREATE TABLE e AS EVALUATE USING m OPTIONS(per_row=True) AS SELECT * FROM t
--| CreateTableAs
--|   table: e
--|   query: SELECT * FROM __nested_1
--|     __nested_1: Evaluate
--|       model: m
--|       query: SELECT * FROM t
--|         tables: t
--|       options: audio_col='audio_path', text_col='text', batch_size=16, precision=None, reuse=False, slice_by=[], resample_by=None, per_row=True
--|       canonical: EVALUATE USING m OPTIONS(per_row=True) AS SELECT * FROM t
--|   or_replace: False
--|   if_not_exists: False
--|   canonical: CREATE TABLE e AS EVALUATE USING m OPTIONS(per_row=True) AS SELECT * FROM t

--# evaluate by slices
EVALUATE USING m OPTIONS(slice_by='speaker_id') AS SELECT * FROM t
--| Evaluate
--|   model: m
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', text_col='text', batch_size=16, precision=None, reuse=False, slice_by=['speaker_id'], resample_by=None, per_row=False
--|   canonical: EVALUATE USING m OPTIONS(slice_by=['speaker_id']) AS SELECT * FROM t

--# evaluate by slices of several columns, speakers drawn together
EVALUATE USING m OPTIONS(slice_by=['gender', 'accent'], resample_by='speaker_id') AS SELECT * FROM t
--| Evaluate
--|   model: m
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', text_col='text', batch_size=16, precision=None, reuse=False, slice_by=['gender', 'accent'], resample_by='speaker_id', per_row=False
--|   canonical: EVALUATE USING m OPTIONS(slice_by=['gender', 'accent'], resample_by='speaker_id') AS SELECT * FROM t

--# convert audio
CONVERT USING m AS SELECT * FROM t
--| Convert
--|   model: m
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', text_col=None, batch_size=16, result_col='convert_result'
--|   canonical: CONVERT USING m OPTIONS(audio_col='audio_path') AS SELECT * FROM t

--# convert a column of texts
CONVERT USING m OPTIONS(text_col='words', result_col='emb') AS SELECT * FROM t
--| Convert
--|   model: m
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col=None, text_col='words', batch_size=16, result_col='emb'
--|   canonical: CONVERT USING m OPTIONS(text_col='words', result_col='emb') AS SELECT * FROM t

--# convert a column of audio
CONVERT USING m OPTIONS(audio_col='path', batch_size=2) AS SELECT * FROM t
--| Convert
--|   model: m
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='path', text_col=None, batch_size=2, result_col='convert_result'
--|   canonical: CONVERT USING m OPTIONS(audio_col='path', batch_size=2) AS SELECT * FROM t

--# search audio by audio
SEARCH AUDIO USING m OPTIONS(search_input='a.wav') AS SELECT * FROM t
--| Search
--|   kind: 'AUDIO'
--|   query: SELECT * FROM t
--|     tables: t
--|   options: search_input='a.wav', search_by='audio', emb_col='convert_result', text_col='text', result_col='search_result', top_k=1000
--|   model: m
--|   canonical: SEARCH AUDIO USING m OPTIONS(search_input='a.wav', search_by='audio') AS SELECT * FROM t

--# search audio by text
SEARCH AUDIO USING m OPTIONS(search_by='text', search_input='a door', emb_col='emb', top_k=5) AS SELECT * FROM t
--| Search
--|   kind: 'AUDIO'
--|   query: SELECT * FROM t
--|     tables: t
--|   options: search_input='a door', search_by='text', emb_col='emb', text_col='text', result_col='search_result', top_k=5
--|   model: m
--|   canonical: SEARCH AUDIO USING m OPTIONS(search_input='a door', search_by='text', emb_col='emb', top_k=5) AS SELECT * FROM t

--# search text
SEARCH TEXT USING m OPTIONS(search_input='greetings', result_col='score') AS SELECT * FROM t
--| Search
--|   kind: 'TEXT'
--|   query: SELECT * FROM t
--|     tables: t
--|   options: search_input='greetings', search_by='text', emb_col='convert_result', text_col='text', result_col='score', top_k=1000
--|   model: m
--|   canonical: SEARCH TEXT USING m OPTIONS(search_input='greetings', search_by='text', result_col='score') AS SELECT * FROM t

--# search text with a column of texts, which has no effect
SEARCH TEXT USING m.2 OPTIONS(search_input='greetings', text_col='words', emb_col='emb') AS SELECT * FROM t
--| Search
--|   kind: 'TEXT'
--|   query: SELECT * FROM t
--|     tables: t
--|   options: search_input='greetings', search_by='text', emb_col='emb', text_col='text', result_col='search_result', top_k=1000
--|   model: m.2
--|   notice: 1:57 option 'text_col' has no effect in SEARCH TEXT
--|   canonical: SEARCH TEXT USING m.2 OPTIONS(search_input='greetings', search_by='text', emb_col='emb') AS SELECT * FROM t

--# search keywords
SEARCH KEYWORD OPTIONS(search_input='hello world', text_col='words') AS SELECT * FROM t
--| Search
--|   kind: 'KEYWORD'
--|   query: SELECT * FROM t
--|     tables: t
--|   options: search_input='hello world', search_by='text', emb_col='convert_result', text_col='words', result_col='search_result', top_k=1000
--|   model: None
--|   canonical: SEARCH KEYWORD OPTIONS(search_input='hello world', search_by='text', text_col='words') AS SELECT * FROM t

--# keywords need no model
SEARCH KEYWORD USING m OPTIONS(search_input='hello', emb_col='emb') AS SELECT * FROM t
--| Search
--|   kind: 'KEYWORD'
--|   query: SELECT * FROM t
--|     tables: t
--|   options: search_input='hello', search_by='text', emb_col='convert_result', text_col='text', result_col='search_result', top_k=1000
--|   model: None
--|   notice: 1:54 option 'emb_col' has no effect in SEARCH KEYWORD
--|   notice: 1:22 SEARCH KEYWORD needs no model
--|   canonical: SEARCH KEYWORD OPTIONS(search_input='hello', search_by='text') AS SELECT * FROM t

--# print images
PRINT IMAGE AS SELECT * FROM t
--| Print
--|   kind: 'IMAGE'
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path'
--|   canonical: PRINT IMAGE AS SELECT * FROM t

--# print videos
PRINT VIDEO AS SELECT * FROM t
--| Print
--|   kind: 'VIDEO'
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path'
--|   canonical: PRINT VIDEO AS SELECT * FROM t

--# print another column
PRINT AUDIO OPTIONS(audio_col='path') AS SELECT path FROM t
--| Print
--|   kind: 'AUDIO'
--|   query: SELECT path FROM t
--|     tables: t
--|   options: audio_col='path'
--|   canonical: PRINT AUDIO OPTIONS(audio_col='path') AS SELECT path FROM t

--# predict and evaluate in a precision
PREDICT USING m OPTIONS(precision='INT8') AS SELECT * FROM t;
EVALUATE USING m OPTIONS(precision='bfloat16') AS SELECT * FROM t
--| Predict
--|   model: m
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', batch_size=16, result_col='predicted', language='auto', task='transcribe', precision='int8', reuse=True, only_new=False, word_times=False, confidence=False, n_best=1
--|   canonical: PREDICT USING m OPTIONS(precision='int8') AS SELECT * FROM t
--| Evaluate
--|   model: m
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', text_col='text', batch_size=16, precision='bfloat16', reuse=False, slice_by=[], resample_by=None, per_row=False
--|   canonical: EVALUATE USING m OPTIONS(precision='bfloat16') AS SELECT * FROM t

--# predict with a language model
PREDICT USING m OPTIONS(language_model='lm/books.arpa', lm_weight=0.7, word_score=-1, beam_width=32) AS SELECT * FROM t
--| Predict
--|   model: m
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', batch_size=16, result_col='predicted', language='auto', task='transcribe', precision=None, reuse=True, only_new=False, word_times=False, confidence=False, n_best=1
--|   beam: language_model='lm/books.arpa', lm_weight=0.7, word_score=-1.0, beam_width=32, hotwords=[], hotword_weight=8.0
--|   canonical: PREDICT USING m OPTIONS(language_model='lm/books.arpa', lm_weight=0.7, word_score=-1.0, beam_width=32) AS SELECT * FROM t

--# predict with hotwords, one with a weight of its own
PREDICT USING m OPTIONS(hotwords=['refund', ['charge back', 12]], hotword_weight=8) AS SELECT * FROM t
--| Predict
--|   model: m
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', batch_size=16, result_col='predicted', language='auto', task='transcribe', precision=None, reuse=True, only_new=False, word_times=False, confidence=False, n_best=1
--|   beam: language_model=None, lm_weight=0.5, word_score=0.0, beam_width=64, hotwords=[('refund', None), ('charge back', 12.0)], hotword_weight=8.0
--|   canonical: PREDICT USING m OPTIONS(hotwords=['refund', ['charge back', 12.0]]) AS SELECT * FROM t

--# a search for which all is as by default
PREDICT USING m OPTIONS(beam_width=64) AS SELECT * FROM t
--| Predict
--|   model: m
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', batch_size=16, result_col='predicted', language='auto', task='transcribe', precision=None, reuse=True, only_new=False, word_times=False, confidence=False, n_best=1
--|   beam: language_model=None, lm_weight=0.5, word_score=0.0, beam_width=64, hotwords=[], hotword_weight=8.0
--|   canonical: PREDICT USING m OPTIONS(beam_width=64) AS SELECT * FROM t

--# evaluate with the same
EVALUATE USING m OPTIONS(language_model='lm/it''s.arpa', hotwords=['it''s']) AS SELECT * FROM t
--| Evaluate
--|   model: m
--|   query: SELECT * FROM t
--|     tables: t
--|   options: audio_col='audio_path', text_col='text', batch_size=16, precision=None, reuse=False, slice_by=[], resample_by=None, per_row=False
--|   beam: language_model="lm/it's.arpa", lm_weight=0.5, word_score=0.0, beam_width=64, hotwords=[("it's", None)], hotword_weight=8.0
--|   canonical: EVALUATE USING m OPTIONS(language_model='lm/it''s.arpa', hotwords=['it''s']) AS SELECT * FROM t
