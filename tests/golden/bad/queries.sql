--# a slip in FROM
SELECT * FORM t
--| error: the query does not read as SQL at 'FORM'
--|   line 1  |   SELECT * FORM t
--|           |            ^^^^ did you mean 'FROM'?
--| SYNTAX_ERROR

--# a slip in WHERE
SELECT a FROM t WHRE a = 1
--| error: the query does not read as SQL at 'WHRE'
--|   line 1  |   SELECT a FROM t WHRE a = 1
--|           |                   ^^^^ did you mean 'WHERE'?
--| SYNTAX_ERROR

--# a slip in GROUP
SELECT a FROM t GRUOP BY a
--| error: the query does not read as SQL at 'GRUOP'
--|   line 1  |   SELECT a FROM t GRUOP BY a
--|           |                   ^^^^^ did you mean 'GROUP'?
--| SYNTAX_ERROR

--# a slip in ORDER
SELECT a FROM t ODER BY a
--| error: the query does not read as SQL at 'ODER'
--|   line 1  |   SELECT a FROM t ODER BY a
--|           |                   ^^^^ did you mean 'ORDER'?
--| SYNTAX_ERROR

--# a slip in LIMIT
SELECT a FROM t LIMTI 5
--| error: the query does not read as SQL at 'LIMTI'
--|   line 1  |   SELECT a FROM t LIMTI 5
--|           |                   ^^^^^ did you mean 'LIMIT'?
--| SYNTAX_ERROR

--# nothing behind WHERE
SELECT * FROM t WHERE
--| error: the query does not read as SQL after 'WHERE'
--|   line 1  |   SELECT * FROM t WHERE
--|           |                   ^^^^^
--| SYNTAX_ERROR

--# nothing behind FROM
SELECT * FROM
--| error: the query does not read as SQL after 'FROM'
--|   line 1  |   SELECT * FROM
--|           |            ^^^^ expected table name
--| SYNTAX_ERROR

--# nothing behind SELECT
SELECT
--| error: SELECT selects no columns
--|   line 1  |   SELECT
--|           |   ^^^^^^ expected columns, or *
--| SYNTAX_ERROR

--# no columns
SELECT FROM t
--| error: SELECT selects no columns
--|   line 1  |   SELECT FROM t
--|           |   ^^^^^^ expected columns, or *
--| SYNTAX_ERROR

--# an operator without its right side
SELECT a + FROM t
--| error: the query does not read as SQL at 'FROM'
--|   line 1  |   SELECT a + FROM t
--|           |              ^^^^
--| SYNTAX_ERROR

--# an alias of two words
SELECT a b c FROM t
--| error: the query does not read as SQL at 'c'
--|   line 1  |   SELECT a b c FROM t
--|           |              ^
--| SYNTAX_ERROR

--# ORDER without BY
SELECT a FROM t ORDER a
--| error: the query does not read as SQL after 'a'
--|   line 1  |   SELECT a FROM t ORDER a
--|           |                         ^
--| SYNTAX_ERROR

--# CASE without END
SELECT CASE WHEN a THEN b FROM t
--| error: the query does not read as SQL at 'b'
--|   line 1  |   SELECT CASE WHEN a THEN b FROM t
--|           |                           ^ expected END after CASE
--| SYNTAX_ERROR

--# words that mean nothing
SELECT a FROM t banana split
--| error: the query does not read as SQL after 'split'
--|   line 1  |   SELECT a FROM t banana split
--|           |                          ^^^^^
--| SYNTAX_ERROR

--# the second line
SELECT a,
       b
FROM t
WHERE a == = 1
--| error: the query does not read as SQL at '='
--|   line 4  |   WHERE a == = 1
--|           |              ^
--| SYNTAX_ERROR

--# SELECT INTO
SELECT * INTO u FROM t
--| error: INTO cannot stand inside a query
--|   line 1  |   SELECT * INTO u FROM t
--|           |            ^^^^ expected a query
--| SYNTAX_ERROR

--# a change in a common table expression
WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d
--| error: DELETE FROM cannot stand inside another statement
--|   line 1  |   WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d
--|           |              ^^^^^^ expected a query or LIST or PREDICT or CONVERT or SEARCH
--| SYNTAX_ERROR

--# a parameter
SELECT * FROM t WHERE id = $1
--| error: parameters have no value here; write the value itself
--|   line 1  |   SELECT * FROM t WHERE id = $1
--|           |                              ^ expected a value
--| SYNTAX_ERROR

--# a named parameter
SELECT * FROM t WHERE id = :id
--| error: parameters have no value here; write the value itself
--|   line 1  |   SELECT * FROM t WHERE id = :id
--|           |                              ^ expected a value
--| SYNTAX_ERROR

--# a question mark
SELECT * FROM t WHERE id = ?
--| error: parameters have no value here; write the value itself
--|   line 1  |   SELECT * FROM t WHERE id = ?
--|           |                              ^ expected a value
--| SYNTAX_ERROR

--# reading a file
SELECT * FROM read_csv('/etc/passwd')
--| error: the table function 'read_csv' is not allowed; COPY brings files into tables
--|   line 1  |   SELECT * FROM read_csv('/etc/passwd')
--|           |                 ^^^^^^^^ known: generate_series, json_each, range, unnest
--| QUERY_REJECTED

--# reading a file, in a join
SELECT * FROM t JOIN read_parquet('x.parquet') p ON p.id = t.id
--| error: the table function 'read_parquet' is not allowed; COPY brings files into tables
--|   line 1  |   SELECT * FROM t JOIN read_parquet('x.parquet') p ON p.id = t.id
--|           |                        ^^^^^^^^^^^^ known: generate_series, json_each, range, unnest
--| QUERY_REJECTED

--# a table function of the engine
SELECT * FROM duckdb_settings()
--| error: the table function 'duckdb_settings' is not allowed; COPY brings files into tables
--|   line 1  |   SELECT * FROM duckdb_settings()
--|           |                 ^^^^^^^^^^^^^^^ known: generate_series, json_each, range, unnest
--| QUERY_REJECTED

--# a schema
SELECT * FROM information_schema.tables
--| error: 'information_schema.tables' names a schema; tables here have none
--|   line 1  |   SELECT * FROM information_schema.tables
--|           |                 ^^^^^^^^^^^^^^^^^^^^^^^^^ did you mean 'tables'?
--| INVALID_NAME

--# a reserved name
SELECT * FROM __nested_1
--| error: the name '__nested_1' is reserved
--|   line 1  |   SELECT * FROM __nested_1
--|           |                 ^^^^^^^^^^
--| INVALID_NAME

--# a query and another statement behind AS
PRINT AUDIO AS (SELECT audio_path FROM t; DROP TABLE t)
--| error: ';' inside brackets: the '(' at line 1, column 16 is still open
--|   line 1  |   PRINT AUDIO AS (SELECT audio_path FROM t; DROP TABLE t)
--|           |                                           ^ expected )
--| SYNTAX_ERROR

--# a common table expression without a query
WITH a AS (SELECT 1)
--| error: the query does not read as SQL after ')'
--|   line 1  |   WITH a AS (SELECT 1)
--|           |                      ^
--| SYNTAX_ERROR

--# an error inside a string's line
SELECT 'a
b' FROM t WHER x = 1
--| error: the query does not read as SQL at 'WHER'
--|   line 2  |   b' FROM t WHER x = 1
--|           |             ^^^^ did you mean 'WHERE'?
--| SYNTAX_ERROR

--# a function that lacks what it needs
SELECT TIMESTAMP () FROM t
--| error: the query cannot be read as SQL
--|   line 1  |   SELECT TIMESTAMP () FROM t
--|           |   ^^^^^^^^^^^^^^^^^^^^^^^^^^
--| SYNTAX_ERROR
