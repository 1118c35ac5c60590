--# MODEL is missing
BUILD m USING b AS SELECT * FROM t
--| error: syntax error at 'm' in BUILD
--|   line 1  |   BUILD m USING b AS SELECT * FROM t
--|           |         ^ expected 'MODEL'
--| SYNTAX_ERROR

--# a slip in MODEL
BUILD MODLE m USING b AS SELECT * FROM t
--| error: syntax error at 'MODLE' in BUILD
--|   line 1  |   BUILD MODLE m USING b AS SELECT * FROM t
--|           |         ^^^^^ did you mean 'MODEL'?
--| SYNTAX_ERROR

--# no name
BUILD MODEL USING b AS SELECT * FROM t
--| error: BUILD MODEL needs a name before USING
--|   line 1  |   BUILD MODEL USING b AS SELECT * FROM t
--|           |               ^^^^^ expected a name
--| SYNTAX_ERROR

--# USING is missing
BUILD MODEL m AS SELECT * FROM t
--| error: syntax error at 'AS' in BUILD MODEL
--|   line 1  |   BUILD MODEL m AS SELECT * FROM t
--|           |                 ^^ expected USING model
--| SYNTAX_ERROR

--# a slip in USING
BUILD MODEL m USNG b AS SELECT * FROM t
--| error: syntax error at 'USNG' in BUILD MODEL
--|   line 1  |   BUILD MODEL m USNG b AS SELECT * FROM t
--|           |                 ^^^^ did you mean 'USING'?
--| SYNTAX_ERROR

--# no base
BUILD MODEL m USING
--| error: BUILD MODEL is incomplete
--|   line 1  |   BUILD MODEL m USING
--|           |                      ^ expected a model name
--| SYNTAX_ERROR

--# no query
BUILD MODEL m USING b
--| error: BUILD MODEL is incomplete
--|   line 1  |   BUILD MODEL m USING b
--|           |                        ^ expected AS query or OPTIONS(...)
--| SYNTAX_ERROR

--# nothing after AS
BUILD MODEL m USING b AS
--| error: BUILD MODEL is incomplete
--|   line 1  |   BUILD MODEL m USING b AS
--|           |                           ^ expected a query
--| SYNTAX_ERROR

--# AS is missing
BUILD MODEL m USING b SELECT * FROM t
--| error: syntax error at 'SELECT' in BUILD MODEL
--|   line 1  |   BUILD MODEL m USING b SELECT * FROM t
--|           |                         ^^^^^^ expected AS query or OPTIONS(...)
--| SYNTAX_ERROR

--# OPTIONS before USING
BUILD MODEL m OPTIONS(epochs=1) USING b AS SELECT * FROM t
--| error: syntax error at 'OPTIONS' in BUILD MODEL
--|   line 1  |   BUILD MODEL m OPTIONS(epochs=1) USING b AS SELECT * FROM t
--|           |                 ^^^^^^^ expected USING model
--| SYNTAX_ERROR

--# OPTIONS twice
BUILD MODEL m USING b OPTIONS(epochs=1) OPTIONS(batch_size=1) AS SELECT * FROM t
--| error: syntax error at 'OPTIONS' in BUILD MODEL
--|   line 1  |   BUILD MODEL m USING b OPTIONS(epochs=1) OPTIONS(batch_size=1) AS SELECT * FROM t
--|           |                                           ^^^^^^^ expected AS query
--| SYNTAX_ERROR

--# a model in single quotes
BUILD MODEL 'm' USING b AS SELECT * FROM t
--| error: syntax error at 'm' in BUILD MODEL: names go in double quotes, or in none
--|   line 1  |   BUILD MODEL 'm' USING b AS SELECT * FROM t
--|           |               ^^^ expected a model name
--| SYNTAX_ERROR

--# a path for a name
BUILD MODEL "models/m" USING b AS SELECT * FROM t
--| error: 'models/m' is not a valid model name
--|   line 1  |   BUILD MODEL "models/m" USING b AS SELECT * FROM t
--|           |               ^^^^^^^^^^ expected a letter, then letters, digits, '_' or '-'
--| INVALID_NAME

--# a new model with a version
BUILD MODEL m.2 USING b AS SELECT * FROM t
--| error: syntax error at '.2' in BUILD MODEL
--|   line 1  |   BUILD MODEL m.2 USING b AS SELECT * FROM t
--|           |                ^^ expected USING model
--| SYNTAX_ERROR

--# a name that begins with a digit
BUILD MODEL 2nd USING b AS SELECT * FROM t
--| error: syntax error at '2nd' in BUILD MODEL: names begin with a letter
--|   line 1  |   BUILD MODEL 2nd USING b AS SELECT * FROM t
--|           |               ^^^ expected a model name
--| SYNTAX_ERROR

--# a hyphen without quotes
BUILD MODEL my-model USING b AS SELECT * FROM t
--| error: syntax error at '-' in BUILD MODEL: put a name with '-' in double quotes
--|   line 1  |   BUILD MODEL my-model USING b AS SELECT * FROM t
--|           |                 ^ expected USING model
--| SYNTAX_ERROR

--# PREDICT without USING
PREDICT m AS SELECT * FROM t
--| error: syntax error at 'm' in PREDICT
--|   line 1  |   PREDICT m AS SELECT * FROM t
--|           |           ^ expected USING model
--| SYNTAX_ERROR

--# PREDICT without AS
PREDICT USING m
--| error: PREDICT is incomplete
--|   line 1  |   PREDICT USING m
--|           |                  ^ expected AS query or OPTIONS(...)
--| SYNTAX_ERROR

--# a version that is no number
PREDICT USING m.latest AS SELECT * FROM t
--| error: syntax error at '.' in PREDICT: a version is a number, as in m.2
--|   line 1  |   PREDICT USING m.latest AS SELECT * FROM t
--|           |                  ^ expected AS query or OPTIONS(...)
--| SYNTAX_ERROR

--# a table for a query
PREDICT USING m AS t
--| error: a query cannot start with 't'
--|   line 1  |   PREDICT USING m AS t
--|           |                      ^ did you mean 'SELECT * FROM t'?
--| SYNTAX_ERROR

--# a slip in the query's first word
PREDICT USING m AS SELET * FROM t
--| error: a query cannot start with 'SELET'
--|   line 1  |   PREDICT USING m AS SELET * FROM t
--|           |                      ^^^^^ did you mean 'SELECT'? known: SELECT, WITH, VALUES, TABLE, ...
--| SYNTAX_ERROR

--# a query in quotes
PREDICT USING m AS 'SELECT * FROM t'
--| error: a query cannot start with 'SELECT * FROM t'
--|   line 1  |   PREDICT USING m AS 'SELECT * FROM t'
--|           |                      ^^^^^^^^^^^^^^^^^ known: SELECT, WITH, VALUES, TABLE, ...
--| SYNTAX_ERROR

--# empty parentheses
PREDICT USING m AS ()
--| error: a query is missing
--|   line 1  |   PREDICT USING m AS ()
--|           |                      ^^ expected a query or 'LIST' or 'PREDICT' or 'EVALUATE' or 'CONVERT' or 'SEARCH'
--| SYNTAX_ERROR

--# two models
PREDICT USING a, b AS SELECT * FROM t
--| error: syntax error at ',' in PREDICT
--|   line 1  |   PREDICT USING a, b AS SELECT * FROM t
--|           |                  ^ expected AS query or OPTIONS(...)
--| SYNTAX_ERROR

--# SEARCH without a kind
SEARCH USING m OPTIONS(search_input='x') AS SELECT * FROM t
--| error: syntax error at 'USING' in SEARCH
--|   line 1  |   SEARCH USING m OPTIONS(search_input='x') AS SELECT * FROM t
--|           |          ^^^^^ expected 'AUDIO' or 'KEYWORD' or 'TEXT'
--| SYNTAX_ERROR

--# a slip in the kind
SEARCH KEYWORDS OPTIONS(search_input='x') AS SELECT * FROM t
--| error: syntax error at 'KEYWORDS' in SEARCH
--|   line 1  |   SEARCH KEYWORDS OPTIONS(search_input='x') AS SELECT * FROM t
--|           |          ^^^^^^^^ did you mean 'KEYWORD'?
--| SYNTAX_ERROR

--# PRINT without a kind
PRINT SELECT * FROM t
--| error: syntax error at 'SELECT' in PRINT
--|   line 1  |   PRINT SELECT * FROM t
--|           |         ^^^^^^ expected 'AUDIO' or 'IMAGE' or 'VIDEO'
--| SYNTAX_ERROR

--# a slip in AUDIO
PRINT AUDOI AS SELECT * FROM t
--| error: syntax error at 'AUDOI' in PRINT
--|   line 1  |   PRINT AUDOI AS SELECT * FROM t
--|           |         ^^^^^ did you mean 'AUDIO'?
--| SYNTAX_ERROR

--# DELETE a version that is not one
DELETE MODEL m.0
--| error: '0' is not the number of a version
--|   line 1  |   DELETE MODEL m.0
--|           |                ^^^ expected a whole number from 1
--| SYNTAX_ERROR

--# DELETE a version with its number apart
DELETE MODEL m VERSION 2
--| error: syntax error at 'VERSION' in DELETE MODEL
--|   line 1  |   DELETE MODEL m VERSION 2
--|           |                  ^^^^^^^ expected OPTIONS(...) or the end of the statement
--| SYNTAX_ERROR

--# ACTIVATE without a version
ACTIVATE MODEL m
--| error: ACTIVATE MODEL needs a version of the model
--|   line 1  |   ACTIVATE MODEL m
--|           |                  ^ expected a version, such as m.1
--| SYNTAX_ERROR

--# ACTIVATE a version that is not one
ACTIVATE MODEL m.0
--| error: '0' is not the number of a version
--|   line 1  |   ACTIVATE MODEL m.0
--|           |                  ^^^ expected a whole number from 1
--| SYNTAX_ERROR

--# ACTIVATE a table
ACTIVATE TABLE t
--| error: syntax error at 'TABLE' in ACTIVATE
--|   line 1  |   ACTIVATE TABLE t
--|           |            ^^^^^ expected 'MODEL'
--| SYNTAX_ERROR

--# a slip in an option of DELETE MODEL
DELETE MODEL m OPTIONS(forced=True)
--| error: unknown option 'forced' for DELETE MODEL
--|   line 1  |   DELETE MODEL m OPTIONS(forced=True)
--|           |                          ^^^^^^ did you mean 'force'? known: force
--| UNKNOWN_OPTION

--# force as a word
DELETE MODEL m FORCE
--| error: syntax error at 'FORCE' in DELETE MODEL
--|   line 1  |   DELETE MODEL m FORCE
--|           |                  ^^^^^ expected OPTIONS(...) or the end of the statement
--| SYNTAX_ERROR

--# IF without EXISTS
DELETE MODEL IF m
--| error: syntax error at 'm' in DELETE MODEL
--|   line 1  |   DELETE MODEL IF m
--|           |                   ^ expected 'EXISTS'
--| SYNTAX_ERROR

--# SHOW MODEL without VERSIONS
SHOW MODEL m
--| error: syntax error at 'm' in SHOW MODEL
--|   line 1  |   SHOW MODEL m
--|           |              ^ expected 'VERSIONS'
--| SYNTAX_ERROR

--# a job without quotes
SHOW JOB 7f3a
--| error: syntax error at '7f3a' in SHOW JOB: put it in quotes: '7f3a'
--|   line 1  |   SHOW JOB 7f3a
--|           |            ^^^^ expected a quoted job id
--| SYNTAX_ERROR

--# an empty job
CANCEL JOB ''
--| error: the job id is empty
--|   line 1  |   CANCEL JOB ''
--|           |              ^^
--| INVALID_ARGUMENT

--# CANCEL without JOB
CANCEL '7f3a'
--| error: syntax error at '7f3a' in CANCEL
--|   line 1  |   CANCEL '7f3a'
--|           |          ^^^^^^ expected 'JOB'
--| SYNTAX_ERROR

--# UPLOAD without a path
UPLOAD MODEL m FROM folder
--| error: syntax error at 'folder' in UPLOAD MODEL: put the path in quotes: 'folder'
--|   line 1  |   UPLOAD MODEL m FROM folder
--|           |                       ^^^^^^ expected a quoted path
--| SYNTAX_ERROR

--# CREATE without a name
CREATE TABLE AS SELECT 1
--| error: CREATE TABLE needs a name before AS
--|   line 1  |   CREATE TABLE AS SELECT 1
--|           |                ^^ expected a name
--| SYNTAX_ERROR

--# COPY without a name
COPY FROM 'a.csv'
--| error: COPY needs a name before FROM
--|   line 1  |   COPY FROM 'a.csv'
--|           |        ^^^^ expected a name
--| SYNTAX_ERROR

--# resume without a job
RESUME JOB
--| error: RESUME JOB is incomplete
--|   line 1  |   RESUME JOB
--|           |             ^ expected a quoted job id
--| SYNTAX_ERROR

--# resume in a query
SELECT * FROM (RESUME JOB 'a')
--| error: RESUME JOB cannot be used inside another statement
--|   line 1  |   SELECT * FROM (RESUME JOB 'a')
--|           |                  ^^^^^^ expected a query or 'LIST' or 'PREDICT' or 'EVALUATE' or 'CONVERT' or 'SEARCH'
--| SYNTAX_ERROR
