--# a slip, on its line
BUILD MODEL m USING b
OPTIONS(
  epoch=1,
  batch_size=4
) AS SELECT * FROM t
--| error: unknown option 'epoch' for BUILD MODEL
--|   line 3  |     epoch=1,
--|           |     ^^^^^ did you mean 'epochs'? known: audio_col, text_col, epochs, batch_size, ...
--| UNKNOWN_OPTION

--# a text for a number
BUILD MODEL m USING b OPTIONS(epochs='three') AS SELECT * FROM t
--| error: option 'epochs': expected a whole number from 1 to 10000, got the string 'three'
--|   line 1  |   BUILD MODEL m USING b OPTIONS(epochs='three') AS SELECT * FROM t
--|           |                                        ^^^^^^^
--| INVALID_OPTION_VALUE

--# a fraction for a whole number
BUILD MODEL m USING b OPTIONS(epochs=1.5) AS SELECT * FROM t
--| error: option 'epochs': expected a whole number from 1 to 10000, got 1.5
--|   line 1  |   BUILD MODEL m USING b OPTIONS(epochs=1.5) AS SELECT * FROM t
--|           |                                        ^^^
--| INVALID_OPTION_VALUE

--# a truth value for a number
BUILD MODEL m USING b OPTIONS(epochs=True) AS SELECT * FROM t
--| error: option 'epochs': expected a whole number from 1 to 10000, got True
--|   line 1  |   BUILD MODEL m USING b OPTIONS(epochs=True) AS SELECT * FROM t
--|           |                                        ^^^^
--| INVALID_OPTION_VALUE

--# a list for a number
BUILD MODEL m USING b OPTIONS(epochs=[1, 2]) AS SELECT * FROM t
--| error: option 'epochs': expected a whole number from 1 to 10000, got a list
--|   line 1  |   BUILD MODEL m USING b OPTIONS(epochs=[1, 2]) AS SELECT * FROM t
--|           |                                        ^^^^^^
--| INVALID_OPTION_VALUE

--# too few
BUILD MODEL m USING b OPTIONS(epochs=0) AS SELECT * FROM t
--| error: option 'epochs': expected a whole number from 1 to 10000, got 0
--|   line 1  |   BUILD MODEL m USING b OPTIONS(epochs=0) AS SELECT * FROM t
--|           |                                        ^
--| INVALID_OPTION_VALUE

--# negative
BUILD MODEL m USING b OPTIONS(epochs=-1) AS SELECT * FROM t
--| error: option 'epochs': expected a whole number from 1 to 10000, got -1
--|   line 1  |   BUILD MODEL m USING b OPTIONS(epochs=-1) AS SELECT * FROM t
--|           |                                        ^^
--| INVALID_OPTION_VALUE

--# too large a batch
PREDICT USING m OPTIONS(batch_size=1025) AS SELECT * FROM t
--| error: option 'batch_size': expected a whole number from 1 to 1024, got 1025
--|   line 1  |   PREDICT USING m OPTIONS(batch_size=1025) AS SELECT * FROM t
--|           |                                      ^^^^
--| INVALID_OPTION_VALUE

--# an empty batch
PREDICT USING m OPTIONS(batch_size=0) AS SELECT * FROM t
--| error: option 'batch_size': expected a whole number from 1 to 1024, got 0
--|   line 1  |   PREDICT USING m OPTIONS(batch_size=0) AS SELECT * FROM t
--|           |                                      ^
--| INVALID_OPTION_VALUE

--# a learning rate of nothing
BUILD MODEL m USING b OPTIONS(learning_rate=0) AS SELECT * FROM t
--| error: option 'learning_rate': expected a number above 0 and at most 1, got 0
--|   line 1  |   BUILD MODEL m USING b OPTIONS(learning_rate=0) AS SELECT * FROM t
--|           |                                               ^
--| INVALID_OPTION_VALUE

--# a learning rate above one
BUILD MODEL m USING b OPTIONS(learning_rate=2.5) AS SELECT * FROM t
--| error: option 'learning_rate': expected a number above 0 and at most 1, got 2.5
--|   line 1  |   BUILD MODEL m USING b OPTIONS(learning_rate=2.5) AS SELECT * FROM t
--|           |                                               ^^^
--| INVALID_OPTION_VALUE

--# a learning rate as text
BUILD MODEL m USING b OPTIONS(learning_rate='1e-4') AS SELECT * FROM t
--| error: option 'learning_rate': expected a number above 0 and at most 1, got the string '1e-4'
--|   line 1  |   BUILD MODEL m USING b OPTIONS(learning_rate='1e-4') AS SELECT * FROM t
--|           |                                               ^^^^^^
--| INVALID_OPTION_VALUE

--# a number that is too large
BUILD MODEL m USING b OPTIONS(learning_rate=1e999) AS SELECT * FROM t
--| error: the number is too large
--|   line 1  |   BUILD MODEL m USING b OPTIONS(learning_rate=1e999) AS SELECT * FROM t
--|           |                                               ^^^^^
--| INVALID_OPTION_VALUE

--# a number that is too long
BUILD MODEL m USING b OPTIONS(epochs=11111111111111111111111111111111111111111111111111) AS SELECT * FROM t
--| error: the number is too long
--|   line 1  |   …ODEL m USING b OPTIONS(epochs=11111111111111111111111111111111111111111111111111) AS SELECT * FROM t
--|           |                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
--| INVALID_OPTION_VALUE

--# top_k of nothing
SEARCH KEYWORD OPTIONS(search_input='x', top_k=0) AS SELECT * FROM t
--| error: option 'top_k': expected a whole number from 1 to 1000000, got 0
--|   line 1  |   SEARCH KEYWORD OPTIONS(search_input='x', top_k=0) AS SELECT * FROM t
--|           |                                                  ^
--| INVALID_OPTION_VALUE

--# a number for a column
PREDICT USING m OPTIONS(audio_col=3) AS SELECT * FROM t
--| error: option 'audio_col': expected a quoted column name, got 3
--|   line 1  |   PREDICT USING m OPTIONS(audio_col=3) AS SELECT * FROM t
--|           |                                     ^
--| INVALID_OPTION_VALUE

--# an empty column
PREDICT USING m OPTIONS(audio_col='') AS SELECT * FROM t
--| error: option 'audio_col': expected a quoted column name, got an empty string
--|   line 1  |   PREDICT USING m OPTIONS(audio_col='') AS SELECT * FROM t
--|           |                                     ^^
--| INVALID_OPTION_VALUE

--# a text without quotes
PREDICT USING m OPTIONS(audio_col=audio_path) AS SELECT * FROM t
--| error: syntax error at 'audio_path' in PREDICT: put the value in quotes: 'audio_path'
--|   line 1  |   PREDICT USING m OPTIONS(audio_col=audio_path) AS SELECT * FROM t
--|           |                                     ^^^^^^^^^^ expected a value: a quoted string, a number, True, False, None or a list
--| SYNTAX_ERROR

--# a slip in True
BUILD MODEL m USING b OPTIONS(overwrite=Ture) AS SELECT * FROM t
--| error: syntax error at 'Ture' in BUILD MODEL
--|   line 1  |   BUILD MODEL m USING b OPTIONS(overwrite=Ture) AS SELECT * FROM t
--|           |                                           ^^^^ did you mean 'True'?
--| SYNTAX_ERROR

--# a text for a truth value
BUILD MODEL m USING b OPTIONS(overwrite='yes') AS SELECT * FROM t
--| error: option 'overwrite': expected True or False, got the string 'yes'
--|   line 1  |   BUILD MODEL m USING b OPTIONS(overwrite='yes') AS SELECT * FROM t
--|           |                                           ^^^^^
--| INVALID_OPTION_VALUE

--# a number for a truth value
BUILD MODEL m USING b OPTIONS(overwrite=1) AS SELECT * FROM t
--| error: option 'overwrite': expected True or False, got 1
--|   line 1  |   BUILD MODEL m USING b OPTIONS(overwrite=1) AS SELECT * FROM t
--|           |                                           ^
--| INVALID_OPTION_VALUE

--# no value
BUILD MODEL m USING b OPTIONS(epochs=) AS SELECT * FROM t
--| error: syntax error at ')' in BUILD MODEL
--|   line 1  |   BUILD MODEL m USING b OPTIONS(epochs=) AS SELECT * FROM t
--|           |                                        ^ expected a value: a quoted string, a number, True, False, None or a list
--| SYNTAX_ERROR

--# no equals sign
BUILD MODEL m USING b OPTIONS(epochs 3) AS SELECT * FROM t
--| error: syntax error at '3' in BUILD MODEL
--|   line 1  |   BUILD MODEL m USING b OPTIONS(epochs 3) AS SELECT * FROM t
--|           |                                        ^ expected '='
--| SYNTAX_ERROR

--# a colon for an equals sign
BUILD MODEL m USING b OPTIONS(epochs: 3) AS SELECT * FROM t
--| error: syntax error at ':' in BUILD MODEL
--|   line 1  |   BUILD MODEL m USING b OPTIONS(epochs: 3) AS SELECT * FROM t
--|           |                                       ^ expected '='
--| SYNTAX_ERROR

--# no comma
BUILD MODEL m USING b OPTIONS(epochs=3 batch_size=4) AS SELECT * FROM t
--| error: syntax error at 'batch_size' in BUILD MODEL
--|   line 1  |   BUILD MODEL m USING b OPTIONS(epochs=3 batch_size=4) AS SELECT * FROM t
--|           |                                          ^^^^^^^^^^ expected ')' or ','
--| SYNTAX_ERROR

--# a comma too many
BUILD MODEL m USING b OPTIONS(epochs=3,) AS SELECT * FROM t
--| error: syntax error at ')' in BUILD MODEL
--|   line 1  |   BUILD MODEL m USING b OPTIONS(epochs=3,) AS SELECT * FROM t
--|           |                                          ^ expected an option name
--| SYNTAX_ERROR

--# no parentheses
BUILD MODEL m USING b OPTIONS epochs=3 AS SELECT * FROM t
--| error: syntax error at 'epochs' in BUILD MODEL
--|   line 1  |   BUILD MODEL m USING b OPTIONS epochs=3 AS SELECT * FROM t
--|           |                                 ^^^^^^ expected '('
--| SYNTAX_ERROR

--# an option in quotes
BUILD MODEL m USING b OPTIONS('epochs'=3) AS SELECT * FROM t
--| error: syntax error at 'epochs' in BUILD MODEL: names go in double quotes, or in none
--|   line 1  |   BUILD MODEL m USING b OPTIONS('epochs'=3) AS SELECT * FROM t
--|           |                                 ^^^^^^^^ expected ')' or an option name
--| SYNTAX_ERROR

--# given twice
BUILD MODEL m USING b OPTIONS(epochs=1, epochs=2) AS SELECT * FROM t
--| error: option 'epochs' is given twice: first at line 1, column 31
--|   line 1  |   BUILD MODEL m USING b OPTIONS(epochs=1, epochs=2) AS SELECT * FROM t
--|           |                                           ^^^^^^
--| DUPLICATE_OPTION

--# given under both names
BUILD MODEL m USING b OPTIONS(epochs=1,
  max_epochs=2) AS SELECT * FROM t
--| error: option 'max_epochs' is another name for 'epochs', which is given too: first at line 1, column 31
--|   line 2  |     max_epochs=2) AS SELECT * FROM t
--|           |     ^^^^^^^^^^
--| DUPLICATE_OPTION

--# an option of another statement
BUILD MODEL m USING b OPTIONS(result_col='x') AS SELECT * FROM t
--| error: unknown option 'result_col' for BUILD MODEL; it belongs to PREDICT, CONVERT, SEARCH AUDIO, SEARCH TEXT, SEARCH KEYWORD
--|   line 1  |   BUILD MODEL m USING b OPTIONS(result_col='x') AS SELECT * FROM t
--|           |                                 ^^^^^^^^^^ known: audio_col, text_col, epochs, batch_size, ...
--| UNKNOWN_OPTION

--# an option of SEARCH in PREDICT
PREDICT USING m OPTIONS(top_k=3) AS SELECT * FROM t
--| error: unknown option 'top_k' for PREDICT; it belongs to SEARCH AUDIO, SEARCH TEXT, SEARCH KEYWORD
--|   line 1  |   PREDICT USING m OPTIONS(top_k=3) AS SELECT * FROM t
--|           |                           ^^^^^ known: audio_col, batch_size, result_col, language, ...
--| UNKNOWN_OPTION

--# an option that nothing knows
PREDICT USING m OPTIONS(temperature=0.5) AS SELECT * FROM t
--| error: unknown option 'temperature' for PREDICT
--|   line 1  |   PREDICT USING m OPTIONS(temperature=0.5) AS SELECT * FROM t
--|           |                           ^^^^^^^^^^^ known: audio_col, batch_size, result_col, language, ...
--| UNKNOWN_OPTION

--# a missing option
SEARCH KEYWORD AS SELECT * FROM t
--| error: SEARCH KEYWORD needs the option 'search_input'
--|   line 1  |   SEARCH KEYWORD AS SELECT * FROM t
--|           |   ^^^^^^^^^^^^^^ expected OPTIONS(search_input=...)
--| MISSING_OPTION

--# a missing option set to None
SEARCH KEYWORD OPTIONS(search_input=None) AS SELECT * FROM t
--| error: SEARCH KEYWORD needs the option 'search_input'
--|   line 1  |   SEARCH KEYWORD OPTIONS(search_input=None) AS SELECT * FROM t
--|           |   ^^^^^^^^^^^^^^ expected OPTIONS(search_input=...)
--| MISSING_OPTION

--# keywords are searched by text
SEARCH KEYWORD OPTIONS(search_input='x', search_by='audio') AS SELECT * FROM t
--| error: 'audio' is not a value of option 'search_by'
--|   line 1  |   SEARCH KEYWORD OPTIONS(search_input='x', search_by='audio') AS SELECT * FROM t
--|           |                                                      ^^^^^^^ known: text
--| INVALID_OPTION_VALUE

--# a task that Whisper has not
PREDICT USING Whisper OPTIONS(task='transcript') AS SELECT * FROM t
--| error: 'transcript' is not a value of option 'task'
--|   line 1  |   PREDICT USING Whisper OPTIONS(task='transcript') AS SELECT * FROM t
--|           |                                      ^^^^^^^^^^^^ did you mean 'transcribe'? known: transcribe, translate
--| INVALID_OPTION_VALUE

--# a framework that is not read
UPLOAD MODEL m OPTIONS(framework='tensorflow') FROM 'folder'
--| error: 'tensorflow' is not a value of option 'framework'
--|   line 1  |   UPLOAD MODEL m OPTIONS(framework='tensorflow') FROM 'folder'
--|           |                                    ^^^^^^^^^^^^ known: pytorch
--| INVALID_OPTION_VALUE

--# two columns to convert
CONVERT USING m OPTIONS(audio_col='a', text_col='b') AS SELECT * FROM t
--| error: options 'audio_col' and 'text_col' contradict each other
--|   line 1  |   CONVERT USING m OPTIONS(audio_col='a', text_col='b') AS SELECT * FROM t
--|           |                                          ^^^^^^^^ expected one of them
--| INVALID_OPTION_VALUE

--# a search by recording without a model
SEARCH AUDIO OPTIONS(search_input='a.wav') AS SELECT * FROM t
--| error: SEARCH AUDIO needs the model that made the embeddings
--|   line 1  |   SEARCH AUDIO OPTIONS(search_input='a.wav') AS SELECT * FROM t
--|           |   ^^^^^^^^^^^^ expected USING model
--| SYNTAX_ERROR

--# a name for a data set
GET THANOSQL DATASET d OPTIONS(model_name='m') 
--| error: unknown option 'model_name' for GET THANOSQL DATASET; it belongs to GET THANOSQL MODEL
--|   line 1  |   GET THANOSQL DATASET d OPTIONS(model_name='m')
--|           |                                  ^^^^^^^^^^ known: overwrite
--| UNKNOWN_OPTION

--# a subscript is no version
PREDICT USING m OPTIONS(epochs=1)[0] AS SELECT * FROM t
--| error: syntax error at '[' in PREDICT
--|   line 1  |   PREDICT USING m OPTIONS(epochs=1)[0] AS SELECT * FROM t
--|           |                                    ^ expected AS query
--| SYNTAX_ERROR

--# in the third statement
LIST MODEL;
LIST TABLE;
PREDICT USING m OPTIONS(batch_size='8') AS SELECT * FROM t
--| error: option 'batch_size': expected a whole number from 1 to 1024, got the string '8'
--|   line 3  |   PREDICT USING m OPTIONS(batch_size='8') AS SELECT * FROM t
--|           |                                      ^^^
--| INVALID_OPTION_VALUE

--# an option that begins with a digit
BUILD MODEL m USING b OPTIONS(2x=1) AS SELECT 1
--| error: syntax error at '2x' in BUILD MODEL: names begin with a letter
--|   line 1  |   BUILD MODEL m USING b OPTIONS(2x=1) AS SELECT 1
--|           |                                 ^^ expected ')' or an option name
--| SYNTAX_ERROR

--# a precision that no engine has
PREDICT USING m OPTIONS(precision='int4') AS SELECT * FROM t
--| error: 'int4' is not a value of option 'precision'
--|   line 1  |   PREDICT USING m OPTIONS(precision='int4') AS SELECT * FROM t
--|           |                                     ^^^^^^ did you mean 'int8'? known: float32, bfloat16, int8
--| INVALID_OPTION_VALUE

--# a precision for a training
BUILD MODEL m USING Wav2Vec2En OPTIONS(precision='int8') AS SELECT * FROM t
--| error: unknown option 'precision' for BUILD MODEL; it belongs to PREDICT, EVALUATE
--|   line 1  |   BUILD MODEL m USING Wav2Vec2En OPTIONS(precision='int8') AS SELECT * FROM t
--|           |                                          ^^^^^^^^^ known: audio_col, text_col, epochs, batch_size, ...
--| UNKNOWN_OPTION

--# whether to reuse is true or false
PREDICT USING m OPTIONS(reuse='yes') AS SELECT * FROM t
--| error: option 'reuse': expected True or False, got the string 'yes'
--|   line 1  |   PREDICT USING m OPTIONS(reuse='yes') AS SELECT * FROM t
--|           |                                 ^^^^^
--| INVALID_OPTION_VALUE

--# only_new is for predictions
EVALUATE USING m OPTIONS(only_new=True) AS SELECT * FROM t
--| error: unknown option 'only_new' for EVALUATE; it belongs to PREDICT
--|   line 1  |   EVALUATE USING m OPTIONS(only_new=True) AS SELECT * FROM t
--|           |                            ^^^^^^^^ known: audio_col, text_col, batch_size, precision, ...
--| UNKNOWN_OPTION

--# slices by a number
EVALUATE USING m OPTIONS(slice_by=3) AS SELECT * FROM t
--| error: option 'slice_by': expected a quoted column name, or a list of 1 to 8, got 3
--|   line 1  |   EVALUATE USING m OPTIONS(slice_by=3) AS SELECT * FROM t
--|           |                                     ^
--| INVALID_OPTION_VALUE

--# slices by no column
EVALUATE USING m OPTIONS(slice_by=[]) AS SELECT * FROM t
--| error: option 'slice_by': expected a quoted column name, or a list of 1 to 8, got an empty list
--|   line 1  |   EVALUATE USING m OPTIONS(slice_by=[]) AS SELECT * FROM t
--|           |                                     ^^
--| INVALID_OPTION_VALUE

--# slices by a column twice
EVALUATE USING m OPTIONS(slice_by=['gender', 'Gender']) AS SELECT * FROM t
--| error: option 'slice_by': expected every column once, got the string 'gender'
--|   line 1  |   EVALUATE USING m OPTIONS(slice_by=['gender', 'Gender']) AS SELECT * FROM t
--|           |                                      ^^^^^^^^
--| INVALID_OPTION_VALUE

--# slices of rows
EVALUATE USING m OPTIONS(slice_by='gender', per_row=True) AS SELECT * FROM t
--| error: option 'slice_by' means nothing with per_row=True; leave one of them out
--|   line 1  |   EVALUATE USING m OPTIONS(slice_by='gender', per_row=True) AS SELECT * FROM t
--|           |                            ^^^^^^^^
--| INVALID_OPTION_VALUE

--# groups of rows
EVALUATE USING m OPTIONS(per_row=True, resample_by='gender') AS SELECT * FROM t
--| error: option 'resample_by' means nothing with per_row=True; leave one of them out
--|   line 1  |   EVALUATE USING m OPTIONS(per_row=True, resample_by='gender') AS SELECT * FROM t
--|           |                                          ^^^^^^^^^^^
--| INVALID_OPTION_VALUE

--# slices are for evaluations
PREDICT USING m OPTIONS(slice_by='gender') AS SELECT * FROM t
--| error: unknown option 'slice_by' for PREDICT; it belongs to EVALUATE
--|   line 1  |   PREDICT USING m OPTIONS(slice_by='gender') AS SELECT * FROM t
--|           |                           ^^^^^^^^ known: audio_col, batch_size, result_col, language, ...
--| UNKNOWN_OPTION

--# a weight without what it weighs
PREDICT USING m OPTIONS(lm_weight=0.5) AS SELECT * FROM t
--| error: option 'lm_weight' means nothing without 'language_model'
--|   line 1  |   PREDICT USING m OPTIONS(lm_weight=0.5) AS SELECT * FROM t
--|           |                           ^^^^^^^^^ expected language_model=...
--| MISSING_OPTION

--# a score for words without a search
EVALUATE USING m OPTIONS(word_score=1) AS SELECT * FROM t
--| error: option 'word_score' means nothing without 'language_model' or 'beam_width' or 'hotwords'
--|   line 1  |   EVALUATE USING m OPTIONS(word_score=1) AS SELECT * FROM t
--|           |                            ^^^^^^^^^^ expected language_model=... or beam_width=... or hotwords=...
--| MISSING_OPTION

--# hotwords that are none
PREDICT USING m OPTIONS(hotwords=[]) AS SELECT * FROM t
--| error: option 'hotwords': expected a list of 1 to 1000 phrases, such as ['refund', 'charge back'], got an empty list
--|   line 1  |   PREDICT USING m OPTIONS(hotwords=[]) AS SELECT * FROM t
--|           |                                    ^^
--| INVALID_OPTION_VALUE

--# a hotword alone
PREDICT USING m OPTIONS(hotwords='refund') AS SELECT * FROM t
--| error: option 'hotwords': expected a list of 1 to 1000 phrases, such as ['refund', 'charge back'], got the string 'refund'
--|   line 1  |   PREDICT USING m OPTIONS(hotwords='refund') AS SELECT * FROM t
--|           |                                    ^^^^^^^^
--| INVALID_OPTION_VALUE

--# a hotword of nothing
PREDICT USING m OPTIONS(hotwords=['refund', ' ']) AS SELECT * FROM t
--| error: option 'hotwords': expected a phrase of 1 to 100 characters, or ['refund', 12] with its weight, got an empty string
--|   line 1  |   PREDICT USING m OPTIONS(hotwords=['refund', ' ']) AS SELECT * FROM t
--|           |                                               ^^^
--| INVALID_OPTION_VALUE

--# a hotword with a word for a weight
PREDICT USING m OPTIONS(hotwords=['refund', ['charge back', 'much']]) AS SELECT * FROM t
--| error: option 'hotwords': expected a weight from -100 to 100, got the string 'much'
--|   line 1  |   PREDICT USING m OPTIONS(hotwords=['refund', ['charge back', 'much']]) AS SELECT * FROM t
--|           |                                                               ^^^^^^
--| INVALID_OPTION_VALUE

--# a hotword with two weights
PREDICT USING m OPTIONS(hotwords=[['refund', 1, 2]]) AS SELECT * FROM t
--| error: option 'hotwords': expected a phrase of 1 to 100 characters, or ['refund', 12] with its weight, got a list
--|   line 1  |   PREDICT USING m OPTIONS(hotwords=[['refund', 1, 2]]) AS SELECT * FROM t
--|           |                                     ^^^^^^^^^^^^^^^^
--| INVALID_OPTION_VALUE

--# a hotword that is too heavy
PREDICT USING m OPTIONS(hotwords=[['refund', 1000]]) AS SELECT * FROM t
--| error: option 'hotwords': expected a weight from -100 to 100, got 1000
--|   line 1  |   PREDICT USING m OPTIONS(hotwords=[['refund', 1000]]) AS SELECT * FROM t
--|           |                                                ^^^^
--| INVALID_OPTION_VALUE

--# a beam without width
PREDICT USING m OPTIONS(beam_width=0) AS SELECT * FROM t
--| error: option 'beam_width': expected a whole number from 1 to 1024, got 0
--|   line 1  |   PREDICT USING m OPTIONS(beam_width=0) AS SELECT * FROM t
--|           |                                      ^
--| INVALID_OPTION_VALUE

--# a language model for training
BUILD MODEL m USING b OPTIONS(language_model='a.arpa') AS SELECT * FROM t
--| error: unknown option 'language_model' for BUILD MODEL; it belongs to PREDICT, EVALUATE
--|   line 1  |   BUILD MODEL m USING b OPTIONS(language_model='a.arpa') AS SELECT * FROM t
--|           |                                 ^^^^^^^^^^^^^^ known: audio_col, text_col, epochs, batch_size, ...
--| UNKNOWN_OPTION

--# more readings than there may be
PREDICT USING m OPTIONS(n_best=11) AS SELECT * FROM t
--| error: option 'n_best': expected a whole number from 1 to 10, got 11
--|   line 1  |   PREDICT USING m OPTIONS(n_best=11) AS SELECT * FROM t
--|           |                                  ^^
--| INVALID_OPTION_VALUE

--# word times that are no truth value
PREDICT USING m OPTIONS(word_times='yes') AS SELECT * FROM t
--| error: option 'word_times': expected True or False, got the string 'yes'
--|   line 1  |   PREDICT USING m OPTIONS(word_times='yes') AS SELECT * FROM t
--|           |                                      ^^^^^
--| INVALID_OPTION_VALUE

--# an option of PREDICT that is nearly one
PREDICT USING m OPTIONS(word_time=True) AS SELECT * FROM t
--| error: unknown option 'word_time' for PREDICT
--|   line 1  |   PREDICT USING m OPTIONS(word_time=True) AS SELECT * FROM t
--|           |                           ^^^^^^^^^ did you mean 'word_times'? known: audio_col, batch_size, result_col, language, ...
--| UNKNOWN_OPTION

--# a seed below 0
BUILD MODEL m USING Wav2Vec2En OPTIONS(seed=-1) AS SELECT * FROM t
--| error: option 'seed': expected a whole number from 0 to 4294967295, got -1
--|   line 1  |   BUILD MODEL m USING Wav2Vec2En OPTIONS(seed=-1) AS SELECT * FROM t
--|           |                                               ^^
--| INVALID_OPTION_VALUE

--# SHOW BUILD without a model
SHOW BUILD
--| error: SHOW is incomplete
--|   line 1  |   SHOW BUILD
--|           |             ^ expected a model name
--| SYNTAX_ERROR
