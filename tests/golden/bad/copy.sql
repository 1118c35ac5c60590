--# nothing after COPY
COPY
--| error: COPY is incomplete
--|   line 1  |   COPY
--|           |       ^ expected a table name
--| SYNTAX_ERROR

--# no source
COPY t
--| error: COPY is incomplete
--|   line 1  |   COPY t
--|           |         ^ expected 'FROM' or OPTIONS(...)
--| SYNTAX_ERROR

--# nothing after FROM
COPY t FROM
--| error: COPY is incomplete
--|   line 1  |   COPY t FROM
--|           |              ^ expected a quoted path
--| SYNTAX_ERROR

--# a path without quotes
COPY t FROM data/train.csv
--| error: syntax error at 'data/train.csv' in COPY: put the path in quotes: 'data/train.csv'
--|   line 1  |   COPY t FROM data/train.csv
--|           |               ^^^^^^^^^^^^^^ expected a quoted path
--| SYNTAX_ERROR

--# FORM
COPY t FORM 'data.csv'
--| error: syntax error at 'FORM' in COPY
--|   line 1  |   COPY t FORM 'data.csv'
--|           |          ^^^^ did you mean 'FROM'?
--| SYNTAX_ERROR

--# OPTIONS after the path
COPY t FROM 'data.csv' OPTIONS(overwrite=True)
--| error: syntax error at 'OPTIONS' after the end of COPY: OPTIONS goes before FROM
--|   line 1  |   COPY t FROM 'data.csv' OPTIONS(overwrite=True)
--|           |                          ^^^^^^^ expected the end of the statement
--| SYNTAX_ERROR

--# a table in single quotes
COPY 't' FROM 'data.csv'
--| error: syntax error at 't' in COPY: names go in double quotes, or in none
--|   line 1  |   COPY 't' FROM 'data.csv'
--|           |        ^^^ expected a table name
--| SYNTAX_ERROR

--# a table with a schema
COPY public.t FROM 'data.csv'
--| error: syntax error at '.' in COPY: there are no schemas here
--|   line 1  |   COPY public.t FROM 'data.csv'
--|           |              ^ expected 'FROM' or OPTIONS(...)
--| SYNTAX_ERROR

--# a slip in OPTIONS
COPY t OPTION(overwrite=True) FROM 'data.csv'
--| error: syntax error at 'OPTION' in COPY
--|   line 1  |   COPY t OPTION(overwrite=True) FROM 'data.csv'
--|           |          ^^^^^^ did you mean 'OPTIONS'?
--| SYNTAX_ERROR

--# an empty path
COPY t FROM ''
--| error: the path is empty
--|   line 1  |   COPY t FROM ''
--|           |               ^^
--| INVALID_ARGUMENT

--# a slip in the choice
COPY t OPTIONS(if_exists='replce') FROM 'data.csv'
--| error: 'replce' is not a value of option 'if_exists'
--|   line 1  |   COPY t OPTIONS(if_exists='replce') FROM 'data.csv'
--|           |                            ^^^^^^^^ did you mean 'replace'? known: fail, replace, append
--| INVALID_OPTION_VALUE

--# a choice that is none
COPY t OPTIONS(if_exists='merge') FROM 'data.csv'
--| error: 'merge' is not a value of option 'if_exists'
--|   line 1  |   COPY t OPTIONS(if_exists='merge') FROM 'data.csv'
--|           |                            ^^^^^^^ known: fail, replace, append
--| INVALID_OPTION_VALUE

--# a choice that is no text
COPY t OPTIONS(if_exists=True) FROM 'data.csv'
--| error: option 'if_exists': expected 'fail' or 'replace' or 'append', got True
--|   line 1  |   COPY t OPTIONS(if_exists=True) FROM 'data.csv'
--|           |                            ^^^^
--| INVALID_OPTION_VALUE

--# a slip in an option
COPY t OPTIONS(overwite=True) FROM 'data.csv'
--| error: unknown option 'overwite' for COPY
--|   line 1  |   COPY t OPTIONS(overwite=True) FROM 'data.csv'
--|           |                  ^^^^^^^^ did you mean 'overwrite'? known: overwrite, if_exists, store_audio, audio_col
--| UNKNOWN_OPTION

--# the case of the option does not hide the slip
COPY t OPTIONS(OVERWITE=True) FROM 'data.csv'
--| error: unknown option 'overwite' for COPY
--|   line 1  |   COPY t OPTIONS(OVERWITE=True) FROM 'data.csv'
--|           |                  ^^^^^^^^ did you mean 'overwrite'? known: overwrite, if_exists, store_audio, audio_col
--| UNKNOWN_OPTION

--# options that contradict each other
COPY t OPTIONS(overwrite=True, if_exists='append') FROM 'data.csv'
--| error: options 'overwrite' and 'if_exists' contradict each other
--|   line 1  |   COPY t OPTIONS(overwrite=True, if_exists='append') FROM 'data.csv'
--|           |                                  ^^^^^^^^^ expected one of them
--| INVALID_OPTION_VALUE

--# a query instead of a path
COPY t AS SELECT * FROM u
--| error: syntax error at 'AS' in COPY
--|   line 1  |   COPY t AS SELECT * FROM u
--|           |          ^^ expected 'FROM' or OPTIONS(...)
--| SYNTAX_ERROR

--# a reserved name
COPY __nested_1 FROM 'data.csv'
--| error: the name '__nested_1' is reserved
--|   line 1  |   COPY __nested_1 FROM 'data.csv'
--|           |        ^^^^^^^^^^
--| INVALID_NAME

--# an empty name
COPY "" FROM 'data.csv'
--| error: a name must have 1 to 128 characters
--|   line 1  |   COPY "" FROM 'data.csv'
--|           |        ^^
--| INVALID_NAME

--# a table that begins with a digit
COPY 2nd FROM 'data.csv'
--| error: syntax error at '2nd' in COPY: names begin with a letter
--|   line 1  |   COPY 2nd FROM 'data.csv'
--|           |        ^^^ expected a table name
--| SYNTAX_ERROR

--# a slip in the option that keeps recordings
COPY t OPTIONS(store_adio=True) FROM 'calls'
--| error: unknown option 'store_adio' for COPY
--|   line 1  |   COPY t OPTIONS(store_adio=True) FROM 'calls'
--|           |                  ^^^^^^^^^^ did you mean 'store_audio'? known: overwrite, if_exists, store_audio, audio_col
--| UNKNOWN_OPTION

--# keeping is a choice between two
COPY t OPTIONS(store_audio='yes') FROM 'calls'
--| error: option 'store_audio': expected True or False, got the string 'yes'
--|   line 1  |   COPY t OPTIONS(store_audio='yes') FROM 'calls'
--|           |                              ^^^^^
--| INVALID_OPTION_VALUE

--# a column that is no text
COPY t OPTIONS(store_audio=True, audio_col=1) FROM 'calls.csv'
--| error: option 'audio_col': expected a quoted column name, got 1
--|   line 1  |   COPY t OPTIONS(store_audio=True, audio_col=1) FROM 'calls.csv'
--|           |                                              ^
--| INVALID_OPTION_VALUE
