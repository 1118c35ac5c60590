-- The tutorial: two tables of recordings, a look at them, a first transcription, a model of one's own.
-- `make demo` runs it; `thanosql sql -f examples/tutorial.sql` runs it against any server.

COPY librispeech_train OPTIONS(overwrite = True) FROM "tutorial_data/librispeech_data/librispeech_train.csv";
COPY librispeech_test  OPTIONS(overwrite = True) FROM "tutorial_data/librispeech_data/librispeech_test.csv";

SELECT * FROM librispeech_train LIMIT 5;

PRINT AUDIO AS SELECT audio_path FROM librispeech_train LIMIT 3;

PREDICT USING tutorial_audio_recognition
OPTIONS (audio_col='audio_path', text_col='text', epochs=1, batch_size=8)
AS SELECT * FROM librispeech_train;

BUILD MODEL my_speech_recognition_model USING Wav2Vec2En
OPTIONS (audio_col='audio_path', text_col='text', epochs=1, batch_size=4, overwrite=True)
AS SELECT * FROM librispeech_train;

PREDICT USING my_speech_recognition_model OPTIONS (audio_col='audio_path') AS SELECT * FROM librispeech_test;

-- Word error rate on recordings that neither model has heard: before fine-tuning, then after.
EVALUATE USING tutorial_audio_recognition AS SELECT * FROM librispeech_test;
EVALUATE USING my_speech_recognition_model AS SELECT * FROM librispeech_test;
