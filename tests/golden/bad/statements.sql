--# a slip in the first word
SELCT * FROM t
--| error: unknown statement 'SELCT'
--|   line 1  |   SELCT * FROM t
--|           |   ^^^^^ did you mean 'SELECT'? known: SELECT, COPY, PREDICT, BUILD MODEL, ...
--| SYNTAX_ERROR

--# a slip in PREDICT
PREDCT USING m AS SELECT * FROM t
--| error: unknown statement 'PREDCT'
--|   line 1  |   PREDCT USING m AS SELECT * FROM t
--|           |   ^^^^^^ did you mean 'PREDICT'? known: SELECT, COPY, PREDICT, BUILD MODEL, ...
--| SYNTAX_ERROR

--# a slip in BUILD
BULD MODEL m USING b AS SELECT * FROM t
--| error: unknown statement 'BULD'
--|   line 1  |   BULD MODEL m USING b AS SELECT * FROM t
--|           |   ^^^^ did you mean 'BUILD'? known: SELECT, COPY, PREDICT, BUILD MODEL, ...
--| SYNTAX_ERROR

--# a statement of another database
ATTACH 'other.db'
--| error: unknown statement 'ATTACH'
--|   line 1  |   ATTACH 'other.db'
--|           |   ^^^^^^ known: SELECT, COPY, PREDICT, BUILD MODEL, ...
--| SYNTAX_ERROR

--# PRAGMA
PRAGMA database_list
--| error: unknown statement 'PRAGMA'
--|   line 1  |   PRAGMA database_list
--|           |   ^^^^^^ known: SELECT, COPY, PREDICT, BUILD MODEL, ...
--| SYNTAX_ERROR

--# SET
SET memory_limit = '1TB'
--| error: unknown statement 'SET'
--|   line 1  |   SET memory_limit = '1TB'
--|           |   ^^^ known: SELECT, COPY, PREDICT, BUILD MODEL, ...
--| SYNTAX_ERROR

--# COPY TO is not COPY
COPY t TO 'out.csv'
--| error: syntax error at 'TO' in COPY
--|   line 1  |   COPY t TO 'out.csv'
--|           |          ^^ expected 'FROM' or OPTIONS(...)
--| SYNTAX_ERROR

--# CALL
CALL pragma_version()
--| error: unknown statement 'CALL'
--|   line 1  |   CALL pragma_version()
--|           |   ^^^^ known: SELECT, COPY, PREDICT, BUILD MODEL, ...
--| SYNTAX_ERROR

--# INSTALL
INSTALL httpfs
--| error: unknown statement 'INSTALL'
--|   line 1  |   INSTALL httpfs
--|           |   ^^^^^^^ known: SELECT, COPY, PREDICT, BUILD MODEL, ...
--| SYNTAX_ERROR

--# no word at all
= 3
--| error: unknown statement '='
--|   line 1  |   = 3
--|           |   ^ known: SELECT, COPY, PREDICT, BUILD MODEL, ...
--| SYNTAX_ERROR

--# a string
'SELECT 1'
--| error: unknown statement 'SELECT 1'
--|   line 1  |   'SELECT 1'
--|           |   ^^^^^^^^^^ known: SELECT, COPY, PREDICT, BUILD MODEL, ...
--| SYNTAX_ERROR

--# a number
42
--| error: unknown statement '42'
--|   line 1  |   42
--|           |   ^^ known: SELECT, COPY, PREDICT, BUILD MODEL, ...
--| SYNTAX_ERROR

--# the third statement
LIST MODEL;
LIST TABLE;
  LISTT MODEL
--| error: unknown statement 'LISTT'
--|   line 3  |     LISTT MODEL
--|           |     ^^^^^ did you mean 'LIST'? known: SELECT, COPY, PREDICT, BUILD MODEL, ...
--| SYNTAX_ERROR

--# a word before a statement
please SELECT 1
--| error: unknown statement 'please'
--|   line 1  |   please SELECT 1
--|           |   ^^^^^^ known: SELECT, COPY, PREDICT, BUILD MODEL, ...
--| SYNTAX_ERROR

--# TRAIN is called BUILD MODEL
TRAIN MODEL m USING b AS SELECT 1
--| error: unknown statement 'TRAIN'
--|   line 1  |   TRAIN MODEL m USING b AS SELECT 1
--|           |   ^^^^^ did you mean 'BUILD MODEL'? known: SELECT, COPY, PREDICT, BUILD MODEL, ...
--| SYNTAX_ERROR

--# nothing after EXPLAIN
EXPLAIN
--| error: EXPLAIN is incomplete
--|   line 1  |   EXPLAIN
--|           |          ^ expected a statement
--| SYNTAX_ERROR

--# EXPLAIN of EXPLAIN
EXPLAIN EXPLAIN SELECT 1
--| error: EXPLAIN cannot explain EXPLAIN
--|   line 1  |   EXPLAIN EXPLAIN SELECT 1
--|           |           ^^^^^^^ expected another statement
--| SYNTAX_ERROR

--# an error after EXPLAIN
EXPLAIN PREDICT USING m OPTIONS(batch_sise=1) AS SELECT 1
--| error: unknown option 'batch_sise' for PREDICT
--|   line 1  |   EXPLAIN PREDICT USING m OPTIONS(batch_sise=1) AS SELECT 1
--|           |                                   ^^^^^^^^^^ did you mean 'batch_size'? known: audio_col, batch_size, result_col, language, ...
--| UNKNOWN_OPTION

--# two statements without a semicolon
LIST MODEL LIST TABLE
--| error: syntax error at 'LIST' after the end of LIST MODEL
--|   line 1  |   LIST MODEL LIST TABLE
--|           |              ^^^^ expected the end of the statement
--| SYNTAX_ERROR

--# CREATE TABLE with columns
CREATE TABLE t (id INTEGER, text VARCHAR)
--| error: syntax error at '(' in CREATE TABLE
--|   line 1  |   CREATE TABLE t (id INTEGER, text VARCHAR)
--|           |                  ^ expected AS query
--| SYNTAX_ERROR

--# CREATE VIEW
CREATE VIEW v AS SELECT 1
--| error: syntax error at 'VIEW' in CREATE
--|   line 1  |   CREATE VIEW v AS SELECT 1
--|           |          ^^^^ expected 'OR REPLACE' or 'TABLE'
--| SYNTAX_ERROR

--# DROP MODEL is DELETE MODEL
DROP MODEL m
--| error: syntax error at 'MODEL' in DROP
--|   line 1  |   DROP MODEL m
--|           |        ^^^^^ did you mean 'DELETE MODEL'?
--| SYNTAX_ERROR

--# SHOW something else
SHOW TABLES
--| error: syntax error at 'TABLES' in SHOW
--|   line 1  |   SHOW TABLES
--|           |        ^^^^^^ did you mean 'LIST TABLE'?
--| SYNTAX_ERROR

--# LIST something else
LIST MODELS
--| error: syntax error at 'MODELS' in LIST
--|   line 1  |   LIST MODELS
--|           |        ^^^^^^ did you mean 'MODEL'?
--| SYNTAX_ERROR

--# LIST nothing
LIST
--| error: LIST is incomplete
--|   line 1  |   LIST
--|           |       ^ expected 'MODEL' or 'TABLE' or 'THANOSQL'
--| SYNTAX_ERROR

--# GET without THANOSQL
GET MODEL m
--| error: syntax error at 'MODEL' in GET
--|   line 1  |   GET MODEL m
--|           |       ^^^^^ expected 'THANOSQL'
--| SYNTAX_ERROR

--# GET something else
GET THANOSQL TABLE t
--| error: syntax error at 'TABLE' in GET THANOSQL
--|   line 1  |   GET THANOSQL TABLE t
--|           |                ^^^^^ expected 'DATASET' or 'MODEL'
--| SYNTAX_ERROR

--# DESCRIBE a table
DESCRIBE t
--| error: syntax error at 't' in DESCRIBE
--|   line 1  |   DESCRIBE t
--|           |            ^ expected 'MODEL'
--| SYNTAX_ERROR

--# DELETE nothing
DELETE t
--| error: syntax error at 't' in DELETE
--|   line 1  |   DELETE t
--|           |          ^ expected 'FROM' or 'MODEL' or 'TRANSCRIPTS'
--| SYNTAX_ERROR

--# SHOW MODELS is LIST MODEL
SHOW MODELS
--| error: syntax error at 'MODELS' in SHOW
--|   line 1  |   SHOW MODELS
--|           |        ^^^^^^ did you mean 'LIST MODEL'?
--| SYNTAX_ERROR

--# LIST JOBS is SHOW JOBS
LIST JOBS
--| error: syntax error at 'JOBS' in LIST
--|   line 1  |   LIST JOBS
--|           |        ^^^^ did you mean 'SHOW JOBS'?
--| SYNTAX_ERROR

--# EXPLAIN ANALYZE
EXPLAIN ANALYZE SELECT 1
--| error: EXPLAIN has no ANALYZE: it never runs the statement
--|   line 1  |   EXPLAIN ANALYZE SELECT 1
--|           |           ^^^^^^^ expected a statement
--| SYNTAX_ERROR

--# EXPLAIN VERBOSE
EXPLAIN verbose PREDICT USING m AS SELECT * FROM t
--| error: EXPLAIN has no VERBOSE: it never runs the statement
--|   line 1  |   EXPLAIN verbose PREDICT USING m AS SELECT * FROM t
--|           |           ^^^^^^^ expected a statement
--| SYNTAX_ERROR

--# transcripts have no list
LIST TRANSCRIPTS
--| error: syntax error at 'TRANSCRIPTS' in LIST
--|   line 1  |   LIST TRANSCRIPTS
--|           |        ^^^^^^^^^^^ did you mean 'SHOW TRANSCRIPTS'?
--| SYNTAX_ERROR

--# transcripts are not deleted from a table of their own
DELETE TRANSCRIPTS FROM t
--| error: syntax error at 'FROM' in DELETE TRANSCRIPTS
--|   line 1  |   DELETE TRANSCRIPTS FROM t
--|           |                      ^^^^ expected USING model or the end of the statement
--| SYNTAX_ERROR

--# which model to unload
UNLOAD MODEL
--| error: UNLOAD MODEL is incomplete
--|   line 1  |   UNLOAD MODEL
--|           |               ^ expected a model name
--| SYNTAX_ERROR

--# loaded models stand in no query
SELECT * FROM (SHOW LOADED MODELS)
--| error: SHOW LOADED cannot be used inside another statement
--|   line 1  |   SELECT * FROM (SHOW LOADED MODELS)
--|           |                  ^^^^ expected a query or 'LIST' or 'PREDICT' or 'EVALUATE' or 'CONVERT' or 'SEARCH'
--| SYNTAX_ERROR

--# transcripts go by version and not by version 0
DELETE TRANSCRIPTS USING m.0
--| error: '0' is not the number of a version
--|   line 1  |   DELETE TRANSCRIPTS USING m.0
--|           |                            ^^^ expected a whole number from 1
--| SYNTAX_ERROR
