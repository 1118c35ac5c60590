--# cell 1: the training table
COPY librispeech_train OPTIONS(overwrite = True) FROM "tutorial_data/librispeech_data/librispeech_train.csv"
--| Copy
--|   table: librispeech_train
--|   source: tutorial_data/librispeech_data/librispeech_train.csv
--|   if_exists: 'replace'
--|   store_audio: False
--|   audio_col: 'audio_path'
--|   canonical: COPY librispeech_train OPTIONS(if_exists='replace') FROM 'tutorial_data/librispeech_data/librispeech_train.csv'

--# cell 1: the test table
COPY librispeech_test  OPTIONS(overwrite = True) FROM "tutorial_data/librispeech_data/librispeech_test.csv"
--| Copy
--|   table: librispeech_test
--|   source: tutorial_data/librispeech_data/librispeech_test.csv
--|   if_exists: 'replace'
--|   store_audio: False
--|   audio_col: 'audio_path'
--|   canonical: COPY librispeech_test OPTIONS(if_exists='replace') FROM 'tutorial_data/librispeech_data/librispeech_test.csv'

--# cell 2: look at the table
SELECT * FROM librispeech_train LIMIT 5
--| RunQuery
--|   query: SELECT * FROM librispeech_train LIMIT 5
--|     tables: librispeech_train
--|   canonical: SELECT * FROM librispeech_train LIMIT 5

--# cell 3: listen to it
PRINT AUDIO AS SELECT audio_path FROM librispeech_train LIMIT 3
--| Print
--|   kind: 'AUDIO'
--|   query: SELECT audio_path FROM librispeech_train LIMIT 3
--|     tables: librispeech_train
--|   options: audio_col='audio_path'
--|   canonical: PRINT AUDIO AS SELECT audio_path FROM librispeech_train LIMIT 3

--# cell 4: transcribe with the prebuilt model
PREDICT USING tutorial_audio_recognition
OPTIONS (audio_col='audio_path', text_col='text', epochs=1, batch_size=8)
AS SELECT * FROM librispeech_train
--| Predict
--|   model: tutorial_audio_recognition
--|   query: SELECT * FROM librispeech_train
--|     tables: librispeech_train
--|   options: audio_col='audio_path', batch_size=8, result_col='predicted', language='auto', task='transcribe', precision=None, reuse=True, only_new=False, word_times=False, confidence=False, n_best=1
--|   notice: 2:34 option 'text_col' has no effect in PREDICT
--|   notice: 2:51 option 'epochs' has no effect in PREDICT
--|   canonical: PREDICT USING tutorial_audio_recognition OPTIONS(batch_size=8) AS SELECT * FROM librispeech_train

--# cell 5: train
BUILD MODEL my_speech_recognition_model USING Wav2Vec2En
OPTIONS (audio_col='audio_path', text_col='text', epochs=1, batch_size=4, overwrite=True)
AS SELECT * FROM librispeech_train
--| BuildModel
--|   model: my_speech_recognition_model
--|   base: Wav2Vec2En
--|   query: SELECT * FROM librispeech_train
--|     tables: librispeech_train
--|   options: audio_col='audio_path', text_col='text', epochs=1, batch_size=4, learning_rate=0.0001, overwrite=True, seed=None
--|   canonical: BUILD MODEL my_speech_recognition_model USING Wav2Vec2En OPTIONS(epochs=1, batch_size=4, overwrite=True) AS SELECT * FROM librispeech_train

--# cell 6: transcribe with the trained model
PREDICT USING my_speech_recognition_model OPTIONS (audio_col='audio_path') AS SELECT * FROM librispeech_test
--| Predict
--|   model: my_speech_recognition_model
--|   query: SELECT * FROM librispeech_test
--|     tables: librispeech_test
--|   options: audio_col='audio_path', batch_size=16, result_col='predicted', language='auto', task='transcribe', precision=None, reuse=True, only_new=False, word_times=False, confidence=False, n_best=1
--|   canonical: PREDICT USING my_speech_recognition_model AS SELECT * FROM librispeech_test
